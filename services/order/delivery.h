#pragma once
// When an event is delivered, tried again, set aside, or given up. Pure: no I/O, no clock.
//
// A sink reads the outbox in order, some events a round. What did not get through is judged by what did:
//
//   * An event of which a later one got through is at fault itself: it is set aside and tried again
//     with growing pauses, and what follows of its order waits behind it; everybody else goes on.
//     When its tries are used up, it is a dead letter.
//   * When nothing got through, the sink is down: its cursor stays, nothing is set aside, no try
//     counts, and after a growing pause a few events ask again. Only what has waited for
//     `give_up_ms` becomes a dead letter.
//   * A refused event is a dead letter at once, unless everything is refused: after
//     DELIVERY_REFUSALS_MAX in a row the sink counts as down.

#include "lib/base/arena.h"
#include "proto/common.pb-c.h"
#include "services/order/sink_event.h"

#include <stdatomic.h>

enum {
    DELIVERY_FAST_TRIES = 3,
    DELIVERY_REFUSALS_MAX = 10,
    DELIVERY_PROBES = 3, // orders that ask whether a sink is back
};

struct delivery_rules {
    int64_t retry_first_ms;
    int64_t tries_max;
    int64_t give_up_ms;
};

enum verdict {
    NOT_TRIED,   // nothing is known of this event
    DELIVERED,   // the sink has it
    REFUSED,     // the sink will never take it
    UNREACHABLE, // no answer, or one that says that something went wrong there
    POSTPONED,   // the sink is there and wants to be left alone for a while: not a try
};

// One event on its way to a sink.
struct delivery {
    struct sink_event row; // state SINK_EVENT_NEW: straight from the outbox
    const char *body;
    size_t body_size;
    const char *message_id;
    bool behind; // an earlier event of its order waits: not to be sent

    enum verdict verdict; // set by the sink, with an error unless it is delivered
    const char *error;    // static, or in the lot's arena
    int64_t tries;        // of this round

    enum outcome outcome; // set by delivery_settle
    int64_t due_ms;       // of what is set aside
};

// What a sink is asked to deliver: in the order of event ids.
struct lot {
    struct arena *arena;
    struct delivery **items;
    size_t count;
    const atomic_bool *stop; // no new tries, please
    int64_t until_us;        // monotonic: no new tries after it
    int64_t rest_ms;         // set by the sink: how long it wants to be left alone
};

// Whether a sink should go on with a lot: it should not when three events could not reach it and
// nothing got through.
bool lot_is_hopeless(const struct lot *lot);

// Whether an earlier event of the same order, in the lot, has not got through: then this one must not
// be sent.
bool lot_is_blocked(const struct lot *lot, size_t index);

// Up to DELIVERY_PROBES first events of different orders, that ask whether a sink is back.
size_t delivery_probes(struct delivery *items, size_t count, uint32_t random,
                       struct delivery **probes);

// A round: first the events that were set aside before, then those after the cursor.
struct delivery_round {
    struct delivery *items;
    size_t count, first_fresh;
    int64_t now_us;
    uint32_t random;
    int64_t rest_ms; // what the sink asked for
    bool asked;      // false: the sink is known to be down and was left alone
    bool through;    // set by delivery_settle: something was delivered or refused
};

// What is known of a sink, and what a round made of it.
struct sink_state {
    int64_t last_id;
    int64_t failures; // rounds in a row in which nothing got through
    int64_t refusals; // events in a row that were refused
    int64_t through_at_us;
    int64_t rest_ms; // nothing is to be sent for so long
    bool goes_on;    // there may be more to do at once
};

// The first thing that a sink said in a round; what to say when it said nothing.
const char *delivery_error(const struct delivery_round *round);

// Decides the outcome of each event and what becomes of the sink.
void delivery_settle(const struct delivery_rules *rules, struct delivery_round *round,
                     struct sink_state *sink);
