#pragma once
// What has happened to an order, in one sequence: its changes of status and the steps of its sagas.
// Pure: no I/O, no clock.
//
// Whoever reads the sequence remembers a place in it, which is what an event's id says: how many
// changes of status it has seen, and how far it has come in the steps. Both only grow, so a reader
// that goes on from a place misses nothing and sees nothing twice, whichever replica answers and
// however a step that became known late stands beside a change of status.

#include "services/order/order.h"

struct journal_place {
    int64_t version;    // the last change of status seen; 0: none
    int64_t saga_began; // the change of status that began the saga of the last step seen
    int64_t step;       // its place in the course of that saga (saga_place)
};

// A step that is done or refused.
struct journal_step {
    int64_t saga_began;
    int64_t step;
    int64_t finished_at_us;
    const void *source; // the caller's
};

// Either a change of status or a step; the other is NULL.
struct journal_entry {
    struct journal_place place; // of a reader that has seen this and all before it
    const struct order_change *change;
    const struct journal_step *step;
};

struct journal {
    struct journal_entry *entries;
    size_t count;
    bool more;  // there was no room for all
    bool ended; // after these nothing will come
};

// The entries after a place, at most `limit`, of an order with its whole timeline (and of which at
// least so much is known of the steps). The steps are put in order. An entry whose status has no way
// on is the last: what a saga gives back later is not told.
struct journal journal_after(struct journal_place after, const struct order *order,
                             struct journal_step *steps, size_t step_count, struct arena *arena,
                             size_t limit);

// "4.2.3" and back; "" is the beginning. False for anything that is no place.
const char *journal_place_text(struct arena *arena, struct journal_place place);
bool journal_place_parse(const char *text, struct journal_place *place);
