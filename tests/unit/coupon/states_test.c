// The diagrams in the contract card are the tables of the code.

#include "services/coupon/coupon.h"
#include "tests/support/machine.h"

#include <criterion/criterion.h>

static bool coupon_leads(int from, int event, int *to)
{
    enum coupon_status found;
    if (!coupon_next((enum coupon_status)from, (enum coupon_event)event, &found))
        return false;
    *to = (int)found;
    return true;
}

static const char *coupon_state(int status)
{
    return coupon_status_name((enum coupon_status)status);
}

static const char *coupon_event_word(int event)
{
    return coupon_event_name((enum coupon_event)event);
}

Test(states, of_coupons_are_drawn_in_the_card)
{
    static const struct machine MACHINE = {
        .begin = "claim",
        .first_state = COUPON_AVAILABLE,
        .last_state = COUPON_CANCELLED,
        .event_count = COUPON_EVENT_COUNT,
        .next = coupon_leads,
        .state_name = coupon_state,
        .event_name = coupon_event_word,
    };
    expect_diagram(&MACHINE, "services/coupon/README.md");
}
