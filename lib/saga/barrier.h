#pragma once
// The participants' side: every saga command has its effect at most once, whatever the order, number
// and lateness of its copies.
//
// Table barrier(saga_id, step, op, code, reason, field, message, reply, created_at), primary key
// (saga_id, step, op), written in the transaction of the effect:
//   - a duplicate gets the stored reply again;
//   - a compensation that comes first succeeds, does nothing, and leaves a tombstone in the action's
//     place, so that the late action is refused with STEP_COMPENSATED;
//   - a compensation of an action that was refused succeeds and does nothing.
// Two transactions that race for one step meet at the primary key; the loser runs again and sees.
//
// Rows are kept for BARRIER_KEEP_MS. A saga may be older: parked for a week, or restored from a backup.
// Its commands run without what the barrier has forgotten, so their handlers go by the order that they
// are for: an action that was done succeeds again, a compensation of nothing does nothing.

#include "lib/base/clock.h"
#include "lib/db/db.h"
#include "lib/rpc/method.h"

#define BARRIER_KEEP_MS (7 * MS_PER_DAY)

extern const struct guard barrier_guard;

// What the barrier knows about a step before a command runs. FORGOTTEN: there is no row, but the saga is
// so old that there may have been one.
enum barrier_row {
    BARRIER_ABSENT,
    BARRIER_DONE,
    BARRIER_REFUSED,
    BARRIER_TOMBSTONE,
    BARRIER_FORGOTTEN,
};

// What to do with a command.
enum barrier_verdict {
    BARRIER_RUN,             // run it and store its outcome
    BARRIER_REPEAT,          // answer what is stored for this op
    BARRIER_REFUSE,          // an action after its compensation
    BARRIER_DO_NOTHING,      // a compensation of something that did not happen: succeed
    BARRIER_LEAVE_TOMBSTONE, // the same, and bar the action that may still come
};

// Pure: the table that the guard and the unit tests' model of it share.
enum barrier_verdict barrier_decide(bool compensation, enum barrier_row action,
                                    enum barrier_row compensation_row);

// Whether the call is a command of a saga so old that rows of it may be gone; now_us is the database's.
bool barrier_may_forget(const struct call *call, int64_t now_us);

// Deletes rows older than keep_ms, at most limit.
struct status barrier_prune(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted);
