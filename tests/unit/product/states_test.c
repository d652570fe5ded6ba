// The diagrams in the contract card are the tables of the code.

#include "services/product/stock.h"
#include "tests/support/machine.h"

#include <criterion/criterion.h>

static bool hold_leads(int from, int event, int *to)
{
    struct hold_edge edge;
    if (!hold_next((enum hold_status)from, (enum hold_event)event, &edge))
        return false;
    *to = (int)edge.to;
    return true;
}

static const char *hold_state(int status)
{
    return hold_status_name((enum hold_status)status);
}

static const char *hold_event_word(int event)
{
    return hold_event_name((enum hold_event)event);
}

Test(states, of_holds_are_drawn_in_the_card)
{
    static const struct machine MACHINE = {
        .begin = "hold",
        .first_state = HOLD_HELD,
        .last_state = HOLD_RELEASED,
        .event_count = HOLD_EVENT_COUNT,
        .next = hold_leads,
        .state_name = hold_state,
        .event_name = hold_event_word,
    };
    expect_diagram(&MACHINE, "services/product/README.md");
}
