// What no journey passes: numbers that are no state, reasons that nobody gave, sums at the end of what
// can be counted.

#include "lib/base/macros.h"
#include "services/order/order.h"
#include "services/order/payment.h"
#include "services/order/sink_event.h"

#include <criterion/criterion.h>
#include <string.h>

Test(corners, numbers_that_are_no_state_have_no_name)
{
    static const int strangers[] = {0, -1, 13, 99};
    for (size_t i = 0; i < COUNT(strangers); i++) {
        cr_expect_str_eq(order_status_name((enum order_status)strangers[i]), "");
        cr_expect_str_eq(payment_status_name((enum payment_status)strangers[i]), "");
    }
    cr_expect_str_eq(sink_event_state_name((enum sink_event_state)99), "");
    cr_expect_str_eq(sink_event_state_name(SINK_EVENT_DEAD), "DEAD");
    for (int i = 0; i < OUTCOME_COUNT; i++)
        cr_expect_str_neq(outcome_name((enum outcome)i), "");
    for (int i = 0; i < PAYMENT_EVENT_COUNT; i++)
        cr_expect_str_neq(payment_event_name((enum payment_event)i), "");
}

Test(corners, an_order_may_end_without_a_reason)
{
    SCOPED(arena) *arena = arena_create();
    struct order order = {.id = 1};
    order_begin(&order, arena, 1);
    cr_assert(order_apply(&order, arena, ORDER_EXPIRE, NULL, 2));
    cr_expect_null(order.failure_reason);
    cr_expect_eq(order_change_version(&order, 0), 1);
    cr_expect_eq(order_change_version(&order, 1), 2);
    struct status st = order_illegal(arena, &order, "paid");
    cr_expect_eq(st.reason, REASON_ILLEGAL_TRANSITION);
    cr_expect_str_eq(st.message, "an order that is EXPIRED cannot be paid");
    order = (struct order){.total_won = 500, .discount_won = 120};
    cr_expect_eq(order_final_won(&order), 380);
}

Test(corners, an_order_wants_options_that_can_exist)
{
    static const struct {
        struct wanted_line line;
        const char *field;
    } rows[] = {
        {{0, 1},  "items.option_id"},
        {{-5, 1}, "items.option_id"},
        {{5, 0},  "items.quantity" },
        {{5, -1}, "items.quantity" },
        {{5, 11}, "items.quantity" },
        {{5, 10}, NULL             },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wanted_line line = rows[i].line;
        size_t count = 1;
        struct status st = order_check_wanted(&line, &count);
        cr_expect_eq(failed(st), rows[i].field != NULL, "row %zu", i);
        if (rows[i].field)
            cr_expect_str_eq(st.field, rows[i].field, "row %zu", i);
    }
    size_t none = 0;
    cr_expect(failed(order_check_wanted(NULL, &none)));
}

Test(corners, totals_overflow_in_a_product_or_in_the_sum)
{
    const struct order_line rows[][2] = {
        {{.price_won = INT64_MAX, .quantity = 2}, {.price_won = 1, .quantity = 1}},
        {{.price_won = INT64_MAX, .quantity = 1}, {.price_won = 1, .quantity = 1}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t total_won = -1;
        cr_expect(failed(order_total(rows[i], 2, &total_won)), "row %zu", i);
        cr_expect_eq(total_won, -1);
    }
}
