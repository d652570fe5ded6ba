// The order's and the attempt's whole transition matrices, the limits and the money of an order.

#include "services/order/order.h"
#include "services/order/payment.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <string.h>

// SPEC 2, drawn once more: row = from, column = event.
static enum order_status drawn(enum order_status from, enum order_event event)
{
    static const enum order_status TO[ORDER_REFUNDED + 1][ORDER_EVENT_COUNT] = {
        [ORDER_PENDING] = {[ORDER_PAY] = ORDER_PAYING,
                           [ORDER_EXPIRE] = ORDER_EXPIRED,
                           [ORDER_CANCEL] = ORDER_CANCELLED},
        [ORDER_PAYING] = {[ORDER_COMPLETE] = ORDER_PAID,
                           [ORDER_REFUSE] = ORDER_PENDING,
                           [ORDER_FAIL] = ORDER_FAILED,
                           [ORDER_LOSE_HOLD] = ORDER_EXPIRED,
                           [ORDER_GO_SILENT] = ORDER_HELD},
        [ORDER_HELD] = {[ORDER_COMPLETE] = ORDER_PAID, [ORDER_GIVE_UP] = ORDER_CANCELLED},
        [ORDER_PAID] = {[ORDER_CANCEL] = ORDER_REFUNDING, [ORDER_PREPARE] = ORDER_PREPARING},
        [ORDER_PREPARING] = {[ORDER_SHIP] = ORDER_SHIPPING},
        [ORDER_SHIPPING] = {[ORDER_DELIVER] = ORDER_DELIVERED},
        [ORDER_REFUNDING] = {[ORDER_REFUND] = ORDER_REFUNDED},
    };
    return TO[from][event];
}

Test(order, moves_along_the_drawn_edges_and_no_others)
{
    for (int from = ORDER_PENDING; from <= ORDER_REFUNDED; from++)
        for (int event = 0; event < ORDER_EVENT_COUNT; event++) {
            enum order_status to = 0;
            bool moved = order_next((enum order_status)from, (enum order_event)event, &to);
            enum order_status wanted = drawn((enum order_status)from, (enum order_event)event);
            cr_assert_eq(moved, wanted != 0, "%s on %s", order_status_name((enum order_status)from),
                         order_event_name((enum order_event)event));
            cr_assert_eq(to, wanted);
        }
}

Test(order, final_states_have_no_way_out)
{
    for (int from = ORDER_PENDING; from <= ORDER_REFUNDED; from++) {
        bool has_exit = false;
        for (int event = 0; event < ORDER_EVENT_COUNT; event++)
            has_exit |= drawn((enum order_status)from, (enum order_event)event) != 0;
        bool final = order_is_final((enum order_status)from);
        cr_assert_eq(has_exit, !final && from != ORDER_DELIVERED);
    }
}

Test(order, admins_send_orders_on_their_way_only)
{
    for (int wanted = 0; wanted <= ORDER_REFUNDED; wanted++) {
        enum order_event event;
        bool allowed = order_admin_event((enum order_status)wanted, &event);
        cr_assert_eq(allowed, wanted == ORDER_PREPARING || wanted == ORDER_SHIPPING ||
                                  wanted == ORDER_DELIVERED);
    }
}

Test(order, keeps_its_timeline_its_version_and_the_reason_of_its_end)
{
    SCOPED(arena) *arena = arena_create();
    struct order order = {.id = 1};
    order_begin(&order, arena, 10);
    cr_assert(order_apply(&order, arena, ORDER_PAY, NULL, 20));
    cr_assert(order_apply(&order, arena, ORDER_REFUSE, "INSUFFICIENT_BALANCE", 30));
    cr_assert_null(order.failure_reason);
    cr_assert(order_apply(&order, arena, ORDER_EXPIRE, "ORDER_EXPIRED", 40));
    cr_assert_not(order_apply(&order, arena, ORDER_PAY, NULL, 50));
    cr_assert_eq(order.status, ORDER_EXPIRED);
    cr_assert_eq(order.version, 4);
    cr_assert_eq(order.change_count, 4);
    cr_assert_eq(order.changes[2].status, ORDER_PENDING);
    cr_assert_str_eq(order.changes[2].reason, "INSUFFICIENT_BALANCE");
    cr_assert_eq(order.changes[3].at_us, 40);
    cr_assert_str_eq(order.failure_reason, "ORDER_EXPIRED");
    cr_assert_eq(order.paid_at_us, 0);
}

Test(order, is_payable_while_pending_and_in_time)
{
    static const struct {
        enum order_status status;
        int64_t paid_at_us, now_us;
        enum reason reason;
    } ROWS[] = {
        {ORDER_PENDING,   0, 99,  REASON_NONE              },
        {ORDER_PENDING,   0, 100, REASON_ORDER_EXPIRED     },
        {ORDER_PAYING,    0, 99,  REASON_ORDER_NOT_PAYABLE },
        {ORDER_HELD,      0, 99,  REASON_ORDER_NOT_PAYABLE },
        {ORDER_PAID,      5, 99,  REASON_ORDER_ALREADY_PAID},
        {ORDER_PREPARING, 5, 99,  REASON_ORDER_ALREADY_PAID},
        {ORDER_DELIVERED, 5, 101, REASON_ORDER_ALREADY_PAID},
        {ORDER_REFUNDED,  5, 99,  REASON_ORDER_ALREADY_PAID},
        {ORDER_FAILED,    0, 99,  REASON_ORDER_NOT_PAYABLE },
        {ORDER_CANCELLED, 0, 99,  REASON_ORDER_NOT_PAYABLE },
        {ORDER_EXPIRED,   0, 99,  REASON_ORDER_EXPIRED     },
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct order order = {
            .status = ROWS[i].status, .paid_at_us = ROWS[i].paid_at_us, .expires_at_us = 100};
        cr_assert_eq(order_check_payable(&order, ROWS[i].now_us).reason, ROWS[i].reason, "%zu", i);
    }
}

// The SPEC's payment machine, drawn once more.
Test(payment, moves_along_the_drawn_edges_and_no_others)
{
    static const enum payment_status TO[PAYMENT_REFUNDED + 1][PAYMENT_EVENT_COUNT] = {
        [PAYMENT_PENDING] = {[PAYMENT_PROCESS] = PAYMENT_PROCESSING},
        [PAYMENT_PROCESSING] = {[PAYMENT_COMPLETE] = PAYMENT_COMPLETED,
                             [PAYMENT_FAIL] = PAYMENT_FAILED,
                             [PAYMENT_CANCEL] = PAYMENT_CANCELLED},
        [PAYMENT_COMPLETED] = {[PAYMENT_REFUND] = PAYMENT_REFUNDED},
    };
    for (int from = PAYMENT_PENDING; from <= PAYMENT_REFUNDED; from++)
        for (int event = 0; event < PAYMENT_EVENT_COUNT; event++) {
            enum payment_status to = 0;
            bool moved = payment_next((enum payment_status)from, (enum payment_event)event, &to);
            cr_assert_eq(moved, TO[from][event] != 0);
            cr_assert_eq(to, TO[from][event]);
        }
}

Test(payment, writes_a_history_entry_for_each_change)
{
    SCOPED(arena) *arena = arena_create();
    struct payment payment = payment_begin(7, 1, 500, 10);
    cr_assert_eq(payment.status, PAYMENT_PENDING);
    cr_assert(payment_apply(&payment, arena, PAYMENT_PROCESS, NULL, 10));
    cr_assert_not(payment_apply(&payment, arena, PAYMENT_REFUND, NULL, 15));
    cr_assert(payment_apply(&payment, arena, PAYMENT_COMPLETE, NULL, 20));
    cr_assert(payment_apply(&payment, arena, PAYMENT_REFUND, NULL, 30));
    cr_assert_eq(payment.completed_at_us, 20);
    cr_assert_eq(payment.version, 3);
    cr_assert_eq(payment.change_count, 3);
    cr_assert_eq(payment.changes[1].from, PAYMENT_PROCESSING);
    cr_assert_eq(payment.changes[1].to, PAYMENT_COMPLETED);
}

Test(order_limits, are_ten_a_product_and_thirty_an_order)
{
    struct wanted_line most[] = {
        {1, 4 },
        {2, 10},
        {1, 6 },
        {3, 10}
    };
    size_t count = COUNT(most);
    cr_assert(!failed(order_check_wanted(most, &count)));
    cr_assert_eq(count, 3);
    cr_assert_eq(most[0].quantity, 10);
    cr_assert_eq(most[2].option_id, 3);

    struct wanted_line eleven[] =
        {
            {1, 4},
            {1, 7}
    },
                       over[] = {{1, 10}, {2, 10}, {3, 10}, {4, 1}};
    struct wanted_line huge[] = {
        {1, INT64_MAX},
        {1, INT64_MAX}
    };
    cr_assert_str_eq(order_check_wanted(eleven, &(size_t){2}).field, "items");
    cr_assert_str_eq(order_check_wanted(over, &(size_t){4}).field, "items");
    cr_assert_str_eq(order_check_wanted(huge, &(size_t){2}).field, "items.quantity");
    cr_assert_str_eq(order_check_wanted(huge, &(size_t){0}).field, "items");

    const struct order_line lines[] = {
        {.product_id = 1, .quantity = 6 },
        {.product_id = 2, .quantity = 10},
        {.product_id = 1, .quantity = 5 }
    };
    cr_assert(!failed(order_check_products(lines, 2)));
    cr_assert_eq(order_check_products(lines, 3).reason, REASON_VALIDATION_ERROR);
}

Test(order_limits, the_total_is_exact_and_never_overflows)
{
    struct order_line lines[] = {
        {.price_won = 10000000, .quantity = 10},
        {.price_won = 100,      .quantity = 3 }
    };
    int64_t total_won = -1;
    cr_assert(!failed(order_total(lines, 2, &total_won)));
    cr_assert_eq(total_won, 100000300);
    lines[1].price_won = INT64_MAX - 100000000;
    lines[1].quantity = 1;
    cr_assert(!failed(order_total(lines, 2, &total_won)));
    cr_assert_eq(total_won, INT64_MAX);
    lines[1].price_won++;
    cr_assert(failed(order_total(lines, 2, &total_won)));
    lines[1].quantity = 2;
    cr_assert(failed(order_total(lines, 2, &total_won)));
    cr_assert_eq(total_won, INT64_MAX);
}
