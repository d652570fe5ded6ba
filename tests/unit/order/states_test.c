// The diagrams in the contract card are the tables of the code.

#include "services/order/order.h"
#include "services/order/payment.h"
#include "services/order/sink_event.h"
#include "tests/support/machine.h"

#include <criterion/criterion.h>

static bool order_leads(int from, int event, int *to)
{
    enum order_status found;
    if (!order_next((enum order_status)from, (enum order_event)event, &found))
        return false;
    *to = (int)found;
    return true;
}

static const char *order_state(int status)
{
    return order_status_name((enum order_status)status);
}

static const char *order_event_word(int event)
{
    return order_event_name((enum order_event)event);
}

Test(states, of_orders_are_drawn_in_the_card)
{
    static const struct machine MACHINE = {
        .begin = "place",
        .first_state = ORDER_PENDING,
        .last_state = ORDER_REFUNDED,
        .event_count = ORDER_EVENT_COUNT,
        .next = order_leads,
        .state_name = order_state,
        .event_name = order_event_word,
    };
    expect_diagram(&MACHINE, "services/order/README.md");
}

static bool payment_leads(int from, int event, int *to)
{
    enum payment_status found;
    if (!payment_next((enum payment_status)from, (enum payment_event)event, &found))
        return false;
    *to = (int)found;
    return true;
}

static const char *payment_state(int status)
{
    return payment_status_name((enum payment_status)status);
}

static const char *payment_event_word(int event)
{
    return payment_event_name((enum payment_event)event);
}

Test(states, of_payments_are_drawn_in_the_card)
{
    static const struct machine MACHINE = {
        .begin = "begin",
        .first_state = PAYMENT_PENDING,
        .last_state = PAYMENT_REFUNDED,
        .event_count = PAYMENT_EVENT_COUNT,
        .next = payment_leads,
        .state_name = payment_state,
        .event_name = payment_event_word,
    };
    expect_diagram(&MACHINE, "services/order/README.md");
}

static bool sink_event_leads(int from, int event, int *to)
{
    enum sink_event_state found;
    if (!sink_event_next((enum sink_event_state)from, (enum outcome)event, &found))
        return false;
    *to = (int)found;
    return true;
}

static const char *sink_event_state(int state)
{
    return sink_event_state_name((enum sink_event_state)state);
}

static const char *outcome_word(int outcome)
{
    return outcome_name((enum outcome)outcome);
}

Test(states, of_events_for_sinks_are_drawn_in_the_card)
{
    static const struct machine MACHINE = {
        .begin = "occur",
        .first_state = SINK_EVENT_NEW,
        .last_state = SINK_EVENT_DELIVERED,
        .event_count = OUTCOME_COUNT,
        .next = sink_event_leads,
        .state_name = sink_event_state,
        .event_name = outcome_word,
    };
    expect_diagram(&MACHINE, "services/order/README.md");
}
