#pragma once
// The state machine of one saga: what happens at a start, a reply, a due timer, a durable record.
//
// Everything here runs under the runner's lock and touches nothing outside memory: what must be sent
// or written is collected as effects, which the runner carries out when the lock is free.

#include "lib/saga/effects.h"
#include "lib/saga/timers.h"

#include <uthash.h>

// Where a saga is in its table.
enum walk_phase {
    WALK_ACTING,       // actions, forward
    WALK_DECIDING,     // the decision to compensate is being made durable
    WALK_COMPENSATING, // compensations, backward
    WALK_CLEANING,     // SAGA_ON_FAILURE steps, forward
    WALK_ENDING,       // the end is being made durable
};

struct saga_private {
    enum walk_phase phase;
    size_t next;                 // acting, cleaning: the step under way; compensating: one above it
    struct saga_progress *asked; // the command without an answer, NULL: none
    bool compensate_all;         // steps that we never asked may have happened, too
    int tries;                   // of the command, since it was first sent or unparked
    int64_t retry_us;            // when to ask again
    int64_t silent_us;           // when the saga has been silent for too long
    int64_t decide_us;           // when to give up on the good path

    bool wants_record; // `record` is to be made durable
    bool recording;    // the port has it; the saga is frozen
    enum saga_record record;
    int record_tries;
    int64_t record_us; // when to try again
    bool ask_soon;     // ask as soon as the saga is no longer frozen
    bool row_parked;   // what the durable row says

    int64_t started_us; // monotonic, when it came to this runner
    struct timer timer;
    UT_hash_handle hh;
};

// One look at the saga, at one moment.
struct walk {
    const struct saga_runner_options *options;
    const struct saga_ports *ports;
    struct effects *effects;
    int64_t now_us;
};

// Makes the saga in its own arena.
struct saga *walk_create(const struct walk *walk, const struct saga_start *start);

void walk_start(const struct walk *walk, struct saga *saga);

// False when nobody waits for this reply: it is late, or a copy.
bool walk_reply(const struct walk *walk, struct saga *saga, const Baro__RpcReply *reply);

// Does what is due.
void walk_fire(const struct walk *walk, struct saga *saga);

// True while the runner keeps the saga; false when it has ended or is somebody else's.
bool walk_recorded(const struct walk *walk, struct saga *saga, enum saga_record what,
                   struct status st);

void walk_retry(const struct walk *walk, struct saga *saga);

// When walk_fire is due next.
int64_t walk_due(const struct saga *saga);
