#pragma once
// An event on its way to one sink, and what may become of it. Pure.

#include "proto/common.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The numbers are those of proto/order.proto and of the database; the first and the last have no row.
enum sink_event_state {
    SINK_EVENT_NEW = 0,     // straight from the outbox
    SINK_EVENT_WAITING = 1, // set aside
    SINK_EVENT_DEAD = 2,
    SINK_EVENT_REPLAYING = 3,
    SINK_EVENT_REPLAYED = 4,
    SINK_EVENT_DELIVERED = 5,
};

enum outcome {
    OUTCOME_KEEP = 0, // nothing: it comes again
    OUTCOME_DELIVER,
    OUTCOME_SET_ASIDE,
    OUTCOME_GIVE_UP,
    OUTCOME_REPLAY, // an admin's
    OUTCOME_COUNT,
};

struct sink_event {
    int64_t id;
    Baro__Event *event;
    const char *sink;
    const char *error;
    int64_t tries;
    int64_t since_us; // set aside
    int64_t tried_at_us;
    int64_t died_at_us;     // 0: it has not
    int64_t replayed_at_us; // 0: it was not
    enum sink_event_state state;
};

struct sink_event_set {
    struct sink_event *rows;
    size_t count;
};

// "WAITING"; "" for a number that is no state.
const char *sink_event_state_name(enum sink_event_state state);

// "give up".
const char *outcome_name(enum outcome outcome);

// Where the outcome leads; false (nothing written) where it leads nowhere.
bool sink_event_next(enum sink_event_state from, enum outcome outcome, enum sink_event_state *to);
