// The same request twice, and different requests at once.

#include "tests/integration/order/life.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name

enum { ALICE = 1, MANY = 40 };

Test(order_keys, an_order_under_one_key_is_placed_once)
{
    struct life *here = life_begin();
    const Baro__Order__OrderView *first =
        expect_order(place(here, as_user_with_key(ALICE, "k"), 1, 2, 0), STATUS(PENDING));
    const Baro__Order__OrderView *again =
        expect_order(place(here, as_user_with_key(ALICE, "k"), 1, 2, 0), STATUS(PENDING));
    cr_assert_eq(first->id, again->id);
    cr_assert_eq(shop_available(here->shop, 1), 98);
    expect_refused(place(here, as_user_with_key(ALICE, "k"), 1, 3, 0),
                   REASON_IDEMPOTENCY_KEY_REUSED);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM orders"), 1);
    life_end(here);
}

Test(order_keys, a_refused_order_is_refused_again_under_its_key)
{
    struct life *here = life_begin();
    expect_refused(place(here, as_user_with_key(ALICE, "k"), 95, 1, 0), REASON_OPTION_NOT_FOUND);
    expect_refused(place(here, as_user_with_key(ALICE, "k"), 95, 1, 0), REASON_OPTION_NOT_FOUND);
    cr_assert_eq(shop_calls(here->shop, "HoldStock"), 1);
    life_end(here);
}

Test(order_keys, a_bad_order_is_not_kept_under_its_key_but_a_refused_one_is)
{
    struct life *here = life_begin();
    expect_invalid(place(here, as_user_with_key(ALICE, "k"), 1, 0, 0), "items.quantity");
    expect_order(place(here, as_user_with_key(ALICE, "k"), 1, 2, 0), STATUS(PENDING));
    for (int i = 0; i < 2; i++)
        expect_refused(place(here, as_user_with_key(ALICE, "c"), 1, 2, SHOP_BAD_COUPON),
                       REASON_COUPON_NOT_USABLE);
    cr_assert_eq(shop_calls(here->shop, "HoldCoupon"), 1);
    shop_silence(here->shop, "HoldStock", 0);
    cr_assert_eq(place(here, as_user_with_key(ALICE, "s"), 1, 1, 0)->code, STATUS_UNAVAILABLE);
    shop_speak(here->shop, "HoldStock");
    expect_order(place(here, as_user_with_key(ALICE, "s"), 1, 1, 0), STATUS(PENDING));
    life_end(here);
}

Test(order_keys, a_payment_under_one_key_is_made_once_and_answered_again)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user_with_key(ALICE, "k"), id, 0), STATUS(PAID));
    const Baro__Order__OrderView *again =
        expect_order(pay(here, as_user_with_key(ALICE, "k"), id, 0), STATUS(PAID));
    cr_assert_eq(again->n_payments, 1);
    cr_assert_eq(shop_calls(here->shop, "DebitWallet"), 1);
    expect_refused(pay(here, as_user_with_key(ALICE, "other"), id, 0), REASON_ORDER_ALREADY_PAID);
    life_end(here);
}

Test(order_keys, a_refused_payment_is_refused_again_under_its_key_only)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    expect_refused(pay(here, as_user_with_key(ALICE, "k"), id, 0), REASON_INSUFFICIENT_BALANCE);
    shop_set_balance(here->shop, ALICE, 5000);
    expect_refused(pay(here, as_user_with_key(ALICE, "k"), id, 0), REASON_INSUFFICIENT_BALANCE);
    expect_order(pay(here, as_user_with_key(ALICE, "k2"), id, 0), STATUS(PAID));
    life_end(here);
}

Test(order_keys, a_payment_that_runs_is_in_progress_for_its_key_at_every_replica)
{
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "ConfirmStock", 0);
    struct asked *asked = start_pay(here, as_user_with_key(ALICE, "k"), id, 0, 15000);
    await_number(here, 1, "SELECT count(*) FROM saga");
    expect_refused(rig_await(start_pay(here, as_user_with_key(ALICE, "k"), id, 0, 15000)),
                   REASON_REQUEST_IN_PROGRESS);
    expect_refused(rig_await(start_pay(other, as_user_with_key(ALICE, "k"), id, 0, 15000)),
                   REASON_REQUEST_IN_PROGRESS);
    expect_refused(pay(other, as_user_with_key(ALICE, "x"), id, 0), REASON_ORDER_NOT_PAYABLE);
    shop_speak(here->shop, "ConfirmStock");
    expect_order(rig_await(asked), STATUS(PAID));
    expect_order(pay(other, as_user_with_key(ALICE, "k"), id, 0), STATUS(PAID));
    life_end(other);
    life_end(here);
}

Test(order_keys, a_payment_answered_early_has_its_outcome_under_its_key)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "ConfirmStock", 0);
    expect_order(rig_await(start_pay(here, as_user_with_key(ALICE, "k"), id, 0, 0)),
                 STATUS(PAYING));
    shop_speak(here->shop, "ConfirmStock");
    await_status(here, id, STATUS(PAID));
    expect_order(pay(here, as_user_with_key(ALICE, "k"), id, 0), STATUS(PAID));
    life_end(here);
}

// A checkout makes its order anew each time it runs: what tells a copy is its key alone.
static struct asked *start_checkout(struct life *life, const char *key)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Order__PlaceOrderRequest *request = order_request(arena, 1, 2, 0);
    request->wait_ms = 0;
    return rig_start(life->rig, "Checkout", as_user_with_key(ALICE, key), &request->base);
}

Test(order_keys, a_checkout_that_runs_is_in_progress_for_its_key_at_every_replica)
{
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    shop_set_balance(here->shop, ALICE, 50000);
    shop_silence(here->shop, "ConfirmStock", 0);
    int64_t id = expect_order(rig_await(start_checkout(here, "k")), STATUS(PAYING))->id;
    expect_refused(rig_await(start_checkout(here, "k")), REASON_REQUEST_IN_PROGRESS);
    expect_refused(rig_await(start_checkout(other, "k")), REASON_REQUEST_IN_PROGRESS);
    shop_speak(here->shop, "ConfirmStock");
    await_status(here, id, STATUS(PAID));
    cr_assert_eq(expect_order(rig_await(start_checkout(other, "k")), STATUS(PAID))->id, id);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM orders"), 1);
    cr_assert_eq(shop_balance(here->shop, ALICE), 48000);
    life_end(other);
    life_end(here);
}

Test(order_keys, a_cancel_that_runs_is_not_refused_under_its_key)
{
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    shop_silence(here->shop, "ReturnStock", 0);
    struct asked *asked = start_cancel(here, as_user_with_key(ALICE, "k"), id);
    await_number(here, 1, "SELECT count(*) FROM orders WHERE status = 11");
    expect_refused(rig_await(start_cancel(other, as_user_with_key(ALICE, "k"), id)),
                   REASON_REQUEST_IN_PROGRESS);
    shop_speak(here->shop, "ReturnStock");
    reply_of(rig_await(asked));
    await_status(here, id, STATUS(REFUNDED));
    expect_order(rig_await(start_cancel(other, as_user_with_key(ALICE, "k"), id)),
                 STATUS(REFUNDED));
    life_end(other);
    life_end(here);
}

Test(order_keys, of_many_payments_of_one_order_one_is_made)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 50000);
    int64_t id = given_order(here, ALICE);
    struct asked *asked[MANY];
    char keys[MANY][16];
    int paid = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i);
        asked[i] = start_pay(here, as_user_with_key(ALICE, keys[i]), id, 0, 15000);
    }
    for (int i = 0; i < MANY; i++)
        paid += rig_await(asked[i])->code == STATUS_OK;
    cr_assert_eq(paid, 1);
    cr_assert_eq(shop_balance(here->shop, ALICE), 48000);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM payment"), 1);
    life_end(here);
}

// However a cancel and a payment of the same order meet, money and order agree in the end.
Test(order_keys, cancel_and_payment_race_to_one_end)
{
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    shop_set_balance(here->shop, ALICE, MANY * 2000);
    int64_t ids[MANY];
    struct asked *payments[MANY], *cancels[MANY];
    for (int i = 0; i < MANY; i++)
        ids[i] = expect_order(place(here, as_user(ALICE), 1 + i, 2, 0), STATUS(PENDING))->id;
    for (int i = 0; i < MANY; i++) {
        if (i % 2)
            cancels[i] = start_cancel(other, as_user(ALICE), ids[i]);
        payments[i] = start_pay(here, as_user(ALICE), ids[i], 0, 15000);
        if (i % 2 == 0)
            cancels[i] = start_cancel(other, as_user(ALICE), ids[i]);
    }
    int64_t spent_won = 0;
    for (int i = 0; i < MANY; i++) {
        rig_await(payments[i]);
        rig_await(cancels[i]);
    }
    await_number(here, 0, "SELECT count(*) FROM saga WHERE state < 2");
    for (int i = 0; i < MANY; i++) {
        const Baro__Order__OrderView *order = reply_of(get(here, as_user(ALICE), ids[i]));
        bool paid = order->status == STATUS(PAID);
        cr_assert(paid || order->status == STATUS(CANCELLED) || order->status == STATUS(REFUNDED));
        cr_assert_eq(shop_hold_of(here->shop, ids[i]) == SHOP_CONFIRMED, paid);
        spent_won += paid ? 2000 : 0;
    }
    cr_assert_eq(shop_balance(here->shop, ALICE), MANY * 2000 - spent_won);
    life_end(other);
    life_end(here);
}

Test(order_keys, expiry_and_payment_race_to_one_end)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, MANY * 2000);
    int64_t ids[MANY];
    struct asked *payments[MANY];
    for (int i = 0; i < MANY; i++)
        ids[i] = expect_order(place(here, as_user(ALICE), 1 + i, 2, 0), STATUS(PENDING))->id;
    for (int i = 0; i < MANY / 2; i++)
        payments[i] = start_pay(here, as_user(ALICE), ids[i], 0, 15000);
    life_pass_time(here, 600001);
    for (int i = MANY / 2; i < MANY; i++)
        payments[i] = start_pay(here, as_user(ALICE), ids[i], 0, 15000);
    life_expire(here);
    for (int i = 0; i < MANY; i++)
        rig_await(payments[i]);
    life_expire(here); // what a payment that was refused had locked
    await_number(here, 0, "SELECT count(*) FROM saga WHERE state < 2");
    int64_t spent_won = 0;
    for (int i = 0; i < MANY; i++) {
        const Baro__Order__OrderView *order = reply_of(get(here, as_user(ALICE), ids[i]));
        bool paid = order->status == STATUS(PAID);
        cr_assert(paid || order->status == STATUS(EXPIRED));
        cr_assert_eq(shop_hold_of(here->shop, ids[i]), paid ? SHOP_CONFIRMED : SHOP_RELEASED);
        spent_won += paid ? 2000 : 0;
    }
    cr_assert_eq(shop_balance(here->shop, ALICE), MANY * 2000 - spent_won);
    life_end(here);
}
