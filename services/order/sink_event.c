// The state machine is this table. A dead letter that is being replayed waits like any other event,
// but it is given up at the first try that fails while the sink takes others, and nothing waits
// behind it.

#include "services/order/sink_event.h"

#include "lib/base/macros.h"

#include <assert.h>

static const struct {
    enum sink_event_state from;
    enum outcome outcome;
    enum sink_event_state to;
} EDGES[] = {
    {SINK_EVENT_NEW,       OUTCOME_DELIVER,   SINK_EVENT_DELIVERED},
    {SINK_EVENT_NEW,       OUTCOME_SET_ASIDE, SINK_EVENT_WAITING  },
    {SINK_EVENT_NEW,       OUTCOME_GIVE_UP,   SINK_EVENT_DEAD     },
    {SINK_EVENT_WAITING,   OUTCOME_DELIVER,   SINK_EVENT_DELIVERED},
    {SINK_EVENT_WAITING,   OUTCOME_SET_ASIDE, SINK_EVENT_WAITING  },
    {SINK_EVENT_WAITING,   OUTCOME_GIVE_UP,   SINK_EVENT_DEAD     },
    {SINK_EVENT_DEAD,      OUTCOME_REPLAY,    SINK_EVENT_REPLAYING},
    {SINK_EVENT_REPLAYING, OUTCOME_DELIVER,   SINK_EVENT_REPLAYED },
    {SINK_EVENT_REPLAYING, OUTCOME_SET_ASIDE, SINK_EVENT_REPLAYING},
    {SINK_EVENT_REPLAYING, OUTCOME_GIVE_UP,   SINK_EVENT_DEAD     },
};

static const char *const STATE_NAMES[] = {
    [SINK_EVENT_NEW] = "NEW",           [SINK_EVENT_WAITING] = "WAITING",
    [SINK_EVENT_DEAD] = "DEAD",         [SINK_EVENT_REPLAYING] = "REPLAYING",
    [SINK_EVENT_REPLAYED] = "REPLAYED", [SINK_EVENT_DELIVERED] = "DELIVERED",
};

static const char *const OUTCOME_NAMES[OUTCOME_COUNT] = {
    [OUTCOME_KEEP] = "keep",       [OUTCOME_DELIVER] = "deliver", [OUTCOME_SET_ASIDE] = "set aside",
    [OUTCOME_GIVE_UP] = "give up", [OUTCOME_REPLAY] = "replay",
};

const char *sink_event_state_name(enum sink_event_state state)
{
    return (size_t)state < COUNT(STATE_NAMES) ? STATE_NAMES[state] : "";
}

const char *outcome_name(enum outcome outcome)
{
    assert(outcome < OUTCOME_COUNT);
    return OUTCOME_NAMES[outcome];
}

bool sink_event_next(enum sink_event_state from, enum outcome outcome, enum sink_event_state *to)
{
    for (size_t i = 0; i < COUNT(EDGES); i++)
        if (EDGES[i].from == from && EDGES[i].outcome == outcome) {
            *to = EDGES[i].to;
            return true;
        }
    return false;
}
