#pragma once
// One attempt to pay an order, and its states (SPEC 2). Pure: no I/O, no clock.

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The numbers are those of proto/order.proto and of the database.
enum payment_status {
    PAYMENT_PENDING = 1,
    PAYMENT_PROCESSING = 2,
    PAYMENT_COMPLETED = 3,
    PAYMENT_FAILED = 4,
    PAYMENT_CANCELLED = 5,
    PAYMENT_REFUNDED = 6,
};

enum payment_event {
    PAYMENT_PROCESS,
    PAYMENT_COMPLETE,
    PAYMENT_FAIL,
    PAYMENT_CANCEL,
    PAYMENT_REFUND,
    PAYMENT_EVENT_COUNT,
};

// "COMPLETED"; "" for a number that is no status.
const char *payment_status_name(enum payment_status status);

// "refund"; for the diagrams.
const char *payment_event_name(enum payment_event event);

// Where the event leads; false (nothing written) for an edge that SPEC 2 does not draw.
bool payment_next(enum payment_status from, enum payment_event event, enum payment_status *to);

struct payment_change {
    enum payment_status from, to;
    int64_t at_us;
    const char *reason; // NULL: none
};

struct payment {
    int64_t id;
    int64_t order_id;
    int64_t amount_won;
    int64_t created_at_us;
    int64_t completed_at_us; // 0: not completed
    int64_t version;         // number of changes, the unsaved ones included
    enum payment_status status;
    const char *reason;             // of the last change; NULL: none
    struct payment_change *changes; // the last `change_count` of `version`
    size_t change_count;
    size_t changes_saved; // of them, those that the store has
    bool stored;          // the attempt itself has a row
};

// A new attempt, PENDING.
struct payment payment_begin(int64_t id, int64_t order_id, int64_t amount_won, int64_t now_us);

// Makes the event happen; false, and nothing changed, for an edge that is not drawn.
bool payment_apply(struct payment *payment, struct arena *arena, enum payment_event event,
                   const char *reason, int64_t now_us);
