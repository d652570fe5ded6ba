// Orders that are paid, refused, given up, expired, cancelled and refunded, over real sockets and a
// real database.

#include "tests/integration/order/life.h"

#include "lib/base/clock.h"

#include <criterion/criterion.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name
#define PAYMENT(name) BARO__ORDER__PAYMENT_STATUS__PAYMENT_STATUS_##name

enum { ALICE = 1, BOB = 2 };

Test(order_journey, an_order_is_placed_paid_and_read_back)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);

    const Baro__Order__OrderView *placed =
        expect_order(place(here, as_user(ALICE), 1, 2, 0), STATUS(PENDING));
    cr_assert_eq(placed->total_amount, 2000);
    cr_assert_eq(placed->n_items, 1);
    cr_assert_str_eq(placed->items[0]->option_name, "option 1");
    cr_assert_eq(shop_available(here->shop, 1), 98);
    cr_assert_eq(shop_hold_of(here->shop, placed->id), SHOP_HELD);

    expect_order(pay(here, as_user(ALICE), placed->id, 0), STATUS(PAID));
    cr_assert_eq(shop_balance(here->shop, ALICE), 3000);
    cr_assert_eq(shop_hold_of(here->shop, placed->id), SHOP_CONFIRMED);

    const Baro__Order__OrderView *order =
        expect_order(get(here, as_user(ALICE), placed->id), STATUS(PAID));
    cr_assert_eq(order->final_amount, 2000);
    cr_assert_not_null(order->paid_at);
    cr_assert_eq(order->n_timeline, 3);
    cr_assert_eq(order->timeline[0]->status, STATUS(PENDING));
    cr_assert_eq(order->timeline[1]->status, STATUS(PAYING));
    cr_assert_eq(order->timeline[2]->status, STATUS(PAID));
    cr_assert_eq(order->n_payments, 1);
    cr_assert_eq(order->payments[0]->status, PAYMENT(COMPLETED));
    cr_assert_eq(order->payments[0]->amount, 2000);
    cr_assert_eq(order->payments[0]->n_history, 2);
    cr_assert_eq(
        life_number(here, "SELECT count(*) FROM outbox WHERE key = %lld", (long long)placed->id),
        3);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE state = 2"), 1);
    life_end(here);
}

Test(order_journey, a_coupon_given_with_the_order_is_held_and_then_used)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    const Baro__Order__OrderView *placed =
        expect_order(place(here, as_user(ALICE), 1, 2, SHOP_COUPON), STATUS(PENDING));
    cr_assert_eq(placed->discount_amount, SHOP_DISCOUNT);
    cr_assert_eq(placed->final_amount, 1500);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_COUPON_HELD);

    const Baro__Order__OrderView *paid =
        expect_order(pay(here, as_user(ALICE), placed->id, 0), STATUS(PAID));
    cr_assert_eq(paid->final_amount, 1500);
    cr_assert_eq(paid->user_coupon_id->value, SHOP_COUPON);
    cr_assert_eq(paid->payments[0]->amount, 1500);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_USED);
    cr_assert_eq(shop_balance(here->shop, ALICE), 3500);
    life_end(here);
}

Test(order_journey, a_coupon_given_with_the_payment_is_used)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    const Baro__Order__OrderView *paid = expect_order(
        pay(here, as_user(ALICE), given_order(here, ALICE), SHOP_COUPON), STATUS(PAID));
    cr_assert_eq(paid->discount_amount, SHOP_DISCOUNT);
    cr_assert_eq(shop_balance(here->shop, ALICE), 3500);
    life_end(here);
}

Test(order_journey, an_order_that_costs_nothing_is_paid_without_the_wallet)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    SCOPED(db) *db = db_create(here->settings.common.database_url, "cheap");
    cr_assert(!failed(db_script(db, "UPDATE orders SET total_amount = 500")));
    const Baro__Order__OrderView *paid =
        expect_order(pay(here, as_user(ALICE), id, SHOP_COUPON), STATUS(PAID));
    cr_assert_eq(paid->final_amount, 0);
    cr_assert_eq(shop_calls(here->shop, "DebitWallet"), 0);
    life_end(here);
}

Test(order_journey, a_short_balance_leaves_the_order_payable_and_gives_the_coupon_back)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 100);
    int64_t id = expect_order(place(here, as_user(ALICE), 1, 2, SHOP_COUPON), STATUS(PENDING))->id;

    expect_refused(pay(here, as_user(ALICE), id, 0), REASON_INSUFFICIENT_BALANCE);
    const Baro__Order__OrderView *order =
        expect_order(get(here, as_user(ALICE), id), STATUS(PENDING));
    cr_assert_null(order->user_coupon_id);
    cr_assert_eq(order->final_amount, 2000);
    cr_assert_eq(order->payments[0]->status, PAYMENT(FAILED));
    cr_assert_str_eq(order->payments[0]->reason, "INSUFFICIENT_BALANCE");
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_HELD);

    shop_set_balance(here->shop, ALICE, 2000);
    order = expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    cr_assert_eq(order->n_payments, 2);
    cr_assert_eq(order->payments[1]->status, PAYMENT(COMPLETED));
    life_end(here);
}

Test(order_journey, a_coupon_that_is_not_usable_fails_the_attempt_only)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_refused(pay(here, as_user(ALICE), id, SHOP_BAD_COUPON), REASON_COUPON_NOT_USABLE);
    const Baro__Order__OrderView *order =
        expect_order(get(here, as_user(ALICE), id), STATUS(PENDING));
    cr_assert_null(order->user_coupon_id);
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    life_end(here);
}

Test(order_journey, a_lost_hold_refunds_and_expires_the_order)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = expect_order(place(here, as_user(ALICE), 1, 2, SHOP_COUPON), STATUS(PENDING))->id;
    shop_lose_hold(here->shop, id);
    expect_refused(pay(here, as_user(ALICE), id, 0), REASON_ORDER_EXPIRED);
    const Baro__Order__OrderView *order =
        expect_order(get(here, as_user(ALICE), id), STATUS(EXPIRED));
    cr_assert_str_eq(order->failure_reason, "HOLD_LOST");
    cr_assert_eq(order->payments[0]->status, PAYMENT(FAILED));
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK);
    life_end(here);
}

Test(order_journey, a_service_that_is_silent_for_too_long_cancels_the_order_and_gives_all_back)
{
    struct life *here = life_begin_being(GIVES_UP_EARLY);
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = expect_order(place(here, as_user(ALICE), 1, 2, SHOP_COUPON), STATUS(PENDING))->id;
    shop_silence(here->shop, "DebitWallet", 0);
    const struct asked *asked = pay(here, as_user(ALICE), id, 0);
    expect_refused(asked, REASON_SYSTEM_FAILURE);
    const Baro__Order__OrderView *order =
        expect_order(get(here, as_user(ALICE), id), STATUS(CANCELLED));
    cr_assert_str_eq(order->failure_reason, "SYSTEM_FAILURE");
    cr_assert_eq(order->n_timeline, 4);
    cr_assert_eq(order->timeline[2]->status, STATUS(HELD));
    cr_assert_eq(order->payments[0]->status, PAYMENT(FAILED));
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RELEASED);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    life_end(here);
}

Test(order_journey, a_service_that_comes_back_in_time_lets_the_held_order_be_paid)
{
    struct life *here = life_begin_being(HOLDS_EARLY);
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "DebitWallet", 0);
    struct asked *asked = start_pay(here, as_user(ALICE), id, 0, 15000);
    await_status(here, id, STATUS(HELD));
    shop_speak(here->shop, "DebitWallet");
    const Baro__Order__OrderView *order = expect_order(rig_await(asked), STATUS(PAID));
    cr_assert_eq(order->timeline[2]->status, STATUS(HELD));
    cr_assert_eq(shop_balance(here->shop, ALICE), 3000);
    life_end(here);
}

Test(order_journey, a_held_order_that_is_refused_in_the_end_is_cancelled_and_keeps_nothing)
{
    struct life *here = life_begin_being(HOLDS_EARLY);
    shop_set_balance(here->shop, ALICE, 100);
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "DebitWallet", 0);
    struct asked *asked = start_pay(here, as_user(ALICE), id, 0, 15000);
    await_status(here, id, STATUS(HELD));
    shop_speak(here->shop, "DebitWallet");
    expect_refused(rig_await(asked), REASON_INSUFFICIENT_BALANCE);
    const Baro__Order__OrderView *order =
        expect_order(get(here, as_user(ALICE), id), STATUS(CANCELLED));
    cr_assert_str_eq(order->failure_reason, "SYSTEM_FAILURE");
    cr_assert_str_eq(order->payments[0]->reason, "INSUFFICIENT_BALANCE");
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RELEASED);
    life_end(here);
}

Test(order_journey, a_payment_that_takes_longer_than_the_wait_is_answered_as_it_is_and_goes_on)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "ConfirmStock", 0);
    expect_order(rig_await(start_pay(here, as_user(ALICE), id, 0, 0)), STATUS(PAYING));
    shop_speak(here->shop, "ConfirmStock");
    await_status(here, id, STATUS(PAID));
    life_end(here);
}

Test(order_journey, a_checkout_is_placed_and_paid_in_one_call)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    const Baro__Order__OrderView *order =
        expect_order(checkout(here, as_user(ALICE), SHOP_COUPON), STATUS(PAID));
    cr_assert_eq(order->final_amount, 1500);
    cr_assert_eq(order->n_timeline, 3);
    cr_assert_eq(shop_balance(here->shop, ALICE), 3500);
    life_end(here);
}

Test(order_journey, an_order_waits_ten_minutes_for_its_payment_and_a_checkout_half_a_minute)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    const Baro__Order__OrderView *order =
        expect_order(place(here, as_user(ALICE), 1, 2, 0), STATUS(PENDING));
    int64_t waits_us = order->expires_at->us - order->created_at->us;
    cr_assert(waits_us > 590 * US_PER_S && waits_us <= 600 * US_PER_S);
    order = expect_order(checkout(here, as_user(ALICE), 0), STATUS(PAID));
    waits_us = order->expires_at->us - order->created_at->us;
    cr_assert(waits_us > 20 * US_PER_S && waits_us <= 30 * US_PER_S);
    life_end(here);
}

Test(order_journey, a_checkout_whose_hold_is_lost_fails_and_is_refunded)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    shop_silence(here->shop, "ConfirmStock", 0);
    SCOPED(arena) *arena = arena_create();
    Baro__Order__PlaceOrderRequest *request = order_request(arena, 1, 2, SHOP_COUPON);
    request->wait_ms = 0;
    const Baro__Order__OrderView *begun =
        reply_of(ask(here, "Checkout", as_user(ALICE), &request->base));
    int64_t id = begun->id;
    shop_lose_hold(here->shop, id);
    shop_speak(here->shop, "ConfirmStock");
    const Baro__Order__OrderView *order = await_status(here, id, STATUS(FAILED));
    cr_assert_str_eq(order->failure_reason, "HOLD_LOST");
    cr_assert_eq(order->payments[0]->status, PAYMENT(FAILED));
    cr_assert_eq(order->discount_amount, 0);
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    life_end(here);
}

Test(order_journey, one_coupon_an_order_also_when_the_payment_brings_another)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = expect_order(place(here, as_user(ALICE), 1, 2, SHOP_COUPON), STATUS(PENDING))->id;
    expect_refused(pay(here, as_user(ALICE), id, SHOP_BAD_COUPON), REASON_COUPON_NOT_USABLE);
    expect_invalid(pay(here, as_user(ALICE), id, -1), "user_coupon_id");
    cr_assert_eq(expect_order(get(here, as_user(ALICE), id), STATUS(PENDING))->n_payments, 0);
    expect_order(pay(here, as_user(ALICE), id, SHOP_COUPON), STATUS(PAID));
    life_end(here);
}

Test(order_journey, what_is_being_paid_held_or_refunded_cannot_be_cancelled)
{
    struct life *here = life_begin_being(HOLDS_EARLY);
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "ConfirmStock", 0);
    reply_of(rig_await(start_pay(here, as_user(ALICE), id, 0, 0)));
    expect_refused(cancel(here, as_user(ALICE), id), REASON_ILLEGAL_TRANSITION);
    await_status(here, id, STATUS(HELD));
    expect_refused(cancel(here, as_user(ALICE), id), REASON_ILLEGAL_TRANSITION);
    expect_refused(pay(here, as_user(ALICE), id, 0), REASON_ORDER_NOT_PAYABLE);
    shop_speak(here->shop, "ConfirmStock");
    await_status(here, id, STATUS(PAID));
    shop_silence(here->shop, "ReturnStock", 0);
    start_cancel(here, as_user(ALICE), id);
    await_status(here, id, STATUS(REFUNDING));
    expect_refused(cancel(here, as_user(ALICE), id), REASON_ILLEGAL_TRANSITION);
    shop_speak(here->shop, "ReturnStock");
    await_status(here, id, STATUS(REFUNDED));
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    life_end(here);
}

Test(order_journey, a_refused_checkout_fails_and_releases_everything)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 100);
    expect_refused(checkout(here, as_user(ALICE), SHOP_COUPON), REASON_INSUFFICIENT_BALANCE);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM orders WHERE status = 8"
                                   " AND failure_reason = 'INSUFFICIENT_BALANCE'"),
                 1);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM payment WHERE status = 4"), 1);
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    life_end(here);
}

// SPEC 2: the same failure as that of the wallet, whatever the coupon service would say beforehand.
Test(order_journey, a_checkout_with_a_coupon_that_is_not_usable_leaves_a_failed_order_and_attempt)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    const struct asked *asked = checkout(here, as_user(ALICE), SHOP_BAD_COUPON);
    expect_refused(asked, REASON_COUPON_NOT_USABLE);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM orders WHERE status = 8"
                                   " AND failure_reason = 'COUPON_NOT_USABLE'"),
                 1);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM payment WHERE status = 4"
                                   " AND reason = 'COUPON_NOT_USABLE'"),
                 1);
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK);
    cr_assert_eq(shop_calls(here->shop, "HoldCoupon"), 0);
    life_end(here);
}

Test(order_journey, an_order_that_nobody_pays_expires_and_gives_its_hold_back)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = expect_order(place(here, as_user(ALICE), 1, 2, SHOP_COUPON), STATUS(PENDING))->id;
    life_expire(here);
    expect_order(get(here, as_user(ALICE), id), STATUS(PENDING));
    life_pass_time(here, 600001);
    expect_refused(pay(here, as_user(ALICE), id, 0), REASON_ORDER_EXPIRED);
    life_expire(here);
    expect_order(get(here, as_user(ALICE), id), STATUS(EXPIRED));
    await_number(here, 1, "SELECT count(*) FROM saga WHERE kind = 'release' AND state = 2");
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    expect_refused(pay(here, as_user(ALICE), id, 0), REASON_ORDER_EXPIRED);
    life_end(here);
}

Test(order_journey, a_payment_failure_followed_by_expiry_gives_the_stock_back_exactly)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 100);
    int64_t id = expect_order(place(here, as_user(ALICE), 1, 2, SHOP_COUPON), STATUS(PENDING))->id;
    for (int attempt = 0; attempt < 2; attempt++) {
        expect_refused(pay(here, as_user(ALICE), id, 0), REASON_INSUFFICIENT_BALANCE);
        cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK - 2, "the hold is kept");
        cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    }
    life_pass_time(here, 600001);
    life_expire(here);
    await_number(here, 1, "SELECT count(*) FROM saga WHERE kind = 'release' AND state = 2");
    const Baro__Order__OrderView *order =
        expect_order(get(here, as_user(ALICE), id), STATUS(EXPIRED));
    cr_assert_eq(order->n_payments, 2);
    for (size_t i = 0; i < order->n_payments; i++)
        cr_assert_eq(order->payments[i]->status, PAYMENT(FAILED));
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK);
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RELEASED);
    cr_assert_eq(shop_balance(here->shop, ALICE), 100);
    life_end(here);
}

Test(order_journey, a_pending_order_is_cancelled_at_once_and_only_once)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    expect_refused(cancel(here, as_user(BOB), id), REASON_FORBIDDEN);
    expect_order(cancel(here, as_user(ALICE), id), STATUS(CANCELLED));
    await_number(here, 1, "SELECT count(*) FROM saga WHERE kind = 'release' AND state = 2");
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK);
    expect_refused(cancel(here, as_user(ALICE), id), REASON_ILLEGAL_TRANSITION);
    expect_refused(pay(here, as_user(ALICE), id, 0), REASON_ORDER_NOT_PAYABLE);
    life_end(here);
}

Test(order_journey, a_paid_order_is_refunded_when_it_is_cancelled)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, SHOP_COUPON), STATUS(PAID));
    const Baro__Order__OrderView *order =
        expect_order(cancel(here, as_user_with_key(ALICE, "again"), id), STATUS(REFUNDED));
    cr_assert_eq(order->n_timeline, 5);
    cr_assert_eq(order->payments[0]->status, PAYMENT(REFUNDED));
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RETURNED);
    expect_order(cancel(here, as_user_with_key(ALICE, "again"), id), STATUS(REFUNDED));
    expect_refused(cancel(here, as_user(ALICE), id), REASON_ILLEGAL_TRANSITION);
    life_end(here);
}

Test(order_journey, an_admin_sends_a_paid_order_on_its_way_and_nobody_else)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    Baro__Order__SetOrderStatusRequest request;
    baro__order__set_order_status_request__init(&request);
    request.order_id = id;
    request.status = STATUS(PREPARING);
    expect_refused(ask(here, "SetOrderStatus", as_admin(), &request.base),
                   REASON_ILLEGAL_TRANSITION);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    expect_refused(ask(here, "SetOrderStatus", as_user(ALICE), &request.base), REASON_FORBIDDEN);
    expect_order(ask(here, "SetOrderStatus", as_admin(), &request.base), STATUS(PREPARING));
    request.status = STATUS(DELIVERED);
    expect_refused(ask(here, "SetOrderStatus", as_admin(), &request.base),
                   REASON_ILLEGAL_TRANSITION);
    request.status = STATUS(SHIPPING);
    expect_order(ask(here, "SetOrderStatus", as_admin(), &request.base), STATUS(SHIPPING));
    request.status = STATUS(DELIVERED);
    expect_order(ask(here, "SetOrderStatus", as_admin(), &request.base), STATUS(DELIVERED));
    request.status = STATUS(REFUNDED);
    expect_invalid(ask(here, "SetOrderStatus", as_admin(), &request.base), "status");
    expect_refused(cancel(here, as_user(ALICE), id), REASON_ILLEGAL_TRANSITION);
    life_end(here);
}
