// The customer's journeys, read as transcripts. Each ends by checking the laws of SPEC 8.

#include "lib/db/db.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(journey, a_customer_orders_two_options_and_pays)
{
    struct http_client *customer = given_customer(100000);
    int64_t red = given_option(20000, 10), blue = given_option(5000, 10);

    struct http_reply placed = http_call(customer, "POST", "/orders",
                                         "{\"items\": [{\"option_id\": %lld, \"quantity\": 2}, "
                                         "{\"option_id\": %lld, \"quantity\": 3}]}",
                                         (long long)red, (long long)blue);
    expect_reply(placed, 201, NULL);
    cr_assert_str_eq(json_word(placed.json, "status"), "PENDING");
    cr_assert_eq(json_number(placed.json, "total_amount"), 55000);
    int64_t order_id = json_number(placed.json, "id");
    cr_assert_eq(available_stock(red), 8);

    struct http_reply paid = pay_order(customer, order_id, 0);
    expect_reply(paid, 200, NULL);
    cr_assert_str_eq(json_word(paid.json, "status"), "PAID");
    cr_assert_str_eq(json_word(paid.json, "payments.0.status"), "COMPLETED");

    struct http_reply read = get_order(customer, order_id);
    cr_assert_str_eq(json_word(read.json, "status"), "PAID");
    cr_assert_eq(json_array_size(json_at(read.json, "items")), 2);
    cr_assert_eq(json_array_size(json_at(read.json, "timeline")), 3, "PENDING, PAYING, PAID");
    cr_assert_eq(balance_of(customer), 45000);
    cr_assert_eq(available_stock(red), 8);
    cr_assert_eq(available_stock(blue), 7);
    expect_laws_hold();
    http_close(customer);
}

Test(journey, a_coupon_given_at_order_time_is_held_then_used)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 10);
    int64_t coupon = claim(customer, given_campaign("PERCENT", 10, 5));

    int64_t order_id = place_order(customer, option, 1, coupon);
    cr_assert_str_eq(coupon_status(customer, coupon), "HELD");
    struct http_reply paid = pay_order(customer, order_id, 0);
    expect_reply(paid, 200, NULL);
    cr_assert_eq(json_number(paid.json, "discount_amount"), 2000);
    cr_assert_eq(json_number(paid.json, "final_amount"), 18000);
    cr_assert_str_eq(coupon_status(customer, coupon), "USED");
    cr_assert_eq(balance_of(customer), 32000);
    expect_laws_hold();
    http_close(customer);
}

Test(journey, a_coupon_given_at_payment_time_is_used)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 10);
    int64_t coupon = claim(customer, given_campaign("FIXED", 3000, 5));

    struct http_reply paid = pay_order(customer, place_order(customer, option, 1, 0), coupon);
    expect_reply(paid, 200, NULL);
    cr_assert_eq(json_number(paid.json, "final_amount"), 17000);
    cr_assert_str_eq(coupon_status(customer, coupon), "USED");
    expect_laws_hold();
    http_close(customer);
}

Test(journey, a_coupon_that_covers_everything_leaves_the_wallet_alone)
{
    struct http_client *customer = given_customer(1000);
    int64_t option = given_option(20000, 10);
    int64_t coupon = claim(customer, given_campaign("PERCENT", 100, 5));

    struct http_reply paid = pay_order(customer, place_order(customer, option, 1, 0), coupon);
    expect_reply(paid, 200, NULL);
    cr_assert_eq(json_number(paid.json, "final_amount"), 0);
    cr_assert_eq(balance_of(customer), 1000);
    expect_laws_hold();
    http_close(customer);
}

Test(journey, a_short_balance_gives_everything_back_and_the_order_stays_payable)
{
    struct http_client *customer = given_customer(5000);
    int64_t option = given_option(20000, 10);
    int64_t coupon = claim(customer, given_campaign("FIXED", 1000, 5));
    int64_t order_id = place_order(customer, option, 1, coupon);

    expect_reply(pay_order(customer, order_id, 0), 402, "INSUFFICIENT_BALANCE");
    struct http_reply read = get_order(customer, order_id);
    cr_assert_str_eq(json_word(read.json, "status"), "PENDING");
    cr_assert_str_eq(json_word(read.json, "payments.0.status"), "FAILED");
    cr_assert_str_eq(json_word(read.json, "payments.0.reason"), "INSUFFICIENT_BALANCE");
    cr_assert_str_eq(coupon_status(customer, coupon), "AVAILABLE");
    cr_assert_eq(available_stock(option), 9, "the hold is kept");
    cr_assert_eq(balance_of(customer), 5000);
    expect_laws_hold();

    expect_reply(http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 20000}"), 201,
                 NULL);
    expect_reply(pay_order(customer, order_id, coupon), 200, NULL);
    cr_assert_eq(balance_of(customer), 6000);
    expect_laws_hold();
    http_close(customer);
}

Test(journey, an_order_that_nobody_pays_expires_and_gives_its_stock_back)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 3);
    int64_t coupon = claim(customer, given_campaign("FIXED", 1000, 5));
    int64_t order_id = place_order(customer, option, 3, coupon);

    cr_assert_eq(available_stock(option), 0);
    cr_assert(await_order(customer, order_id, "EXPIRED", 60000), "it is %s",
              order_status(customer, order_id));
    expect_laws_hold();
    cr_assert_eq(available_stock(option), 3);
    cr_assert_str_eq(coupon_status(customer, coupon), "AVAILABLE");
    expect_reply(pay_order(customer, order_id, 0), 409, "ORDER_EXPIRED");
    http_close(customer);
}

// Takes the hold away as a sweep would that came too early: the option's count goes with it.
static void lose_hold(int64_t order_id)
{
    SCOPED(db) *db = db_create(getenv("BARO_PRODUCT_DATABASE_URL"), "e2e");
    static const struct statement LOSE = {
        "e2e_lose_hold",
        "WITH lost AS (UPDATE hold SET status = 'RELEASED' WHERE order_id = $1::bigint"
        "              RETURNING option_id, quantity)"
        " UPDATE product_option o SET held = held - lost.quantity FROM lost"
        " WHERE o.id = lost.option_id"};
    int64_t affected = 0;
    cr_assert_not(failed(db_execute(db, &LOSE, PARAMS(p_int64(order_id)), &affected)));
    cr_assert_eq(affected, 1);
}

Test(journey, a_payment_whose_hold_was_lost_gives_money_and_coupon_back)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 10);
    int64_t coupon = claim(customer, given_campaign("FIXED", 1000, 5));
    int64_t order_id = place_order(customer, option, 1, coupon);

    lose_hold(order_id);
    expect_reply(pay_order(customer, order_id, 0), 409, NULL);
    struct http_reply read = get_order(customer, order_id);
    cr_assert_str_eq(json_word(read.json, "status"), "EXPIRED");
    cr_assert_str_eq(json_word(read.json, "payments.0.status"), "FAILED");
    cr_assert_eq(balance_of(customer), 50000, "taken and given back");
    struct http_reply history = http_call(customer, "GET", "/me/balance/history", NULL);
    cr_assert_str_eq(json_word(history.json, "items.0.type"), "REFUND");
    cr_assert_str_eq(json_word(history.json, "items.1.type"), "USE");
    cr_assert_str_eq(coupon_status(customer, coupon), "AVAILABLE");
    cr_assert_eq(available_stock(option), 10);
    expect_laws_hold();
    http_close(customer);
}

Test(journey, the_same_key_gets_the_first_answer_and_another_body_is_refused)
{
    struct http_client *customer = given_customer(0);
    struct http_reply reply;

    http_next_key(customer, "key-1");
    reply = http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 5000}");
    expect_reply(reply, 201, NULL);
    int64_t entry = json_number(reply.json, "entry.id");
    http_next_key(customer, "key-1");
    reply = http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 5000}");
    expect_reply(reply, 201, NULL);
    cr_assert_eq(json_number(reply.json, "entry.id"), entry);
    http_next_key(customer, "key-1");
    expect_reply(http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 6000}"), 422,
                 "IDEMPOTENCY_KEY_REUSED");
    cr_assert_eq(balance_of(customer), 5000);
    expect_laws_hold();
    http_close(customer);
}

Test(journey, a_paid_order_cannot_be_paid_again)
{
    struct http_client *customer = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(20000, 3), 1, 0);

    expect_reply(pay_order(customer, order_id, 0), 200, NULL);
    expect_reply(pay_order(customer, order_id, 0), 409, "ORDER_ALREADY_PAID");
    cr_assert_eq(balance_of(customer), 30000);
    expect_laws_hold();
    http_close(customer);
}

Test(journey, another_customer_sees_nothing)
{
    struct http_client *customer = given_customer(50000), *other = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(20000, 3), 1, 0);

    expect_reply(get_order(other, order_id), 403, "FORBIDDEN");
    expect_reply(pay_order(other, order_id, 0), 403, "FORBIDDEN");
    cr_assert_str_eq(order_status(customer, order_id), "PENDING");
    expect_laws_hold();
    http_close(other);
    http_close(customer);
}

Test(journey, a_payment_is_waited_for_as_long_as_the_customer_prefers)
{
    static const struct {
        const char *prefer;
        long status;
    } rows[] = {
        {"Prefer: respond-async",          202},
        {"Prefer: wait=0",                 202},
        {"Prefer: respond-async, wait=20", 200},
        {"Prefer: wait=20",                200},
    };
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(1000, 10);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[64], payment[64];
        int64_t order_id = place_order(customer, option, 1, 0);
        snprintf(path, sizeof path, "/api/v1/orders/%lld", (long long)order_id);
        snprintf(payment, sizeof payment, "/orders/%lld/payment", (long long)order_id);
        http_next_header(customer, rows[i].prefer);
        struct http_reply reply = http_call(customer, "POST", payment, "{}");
        expect_reply(reply, rows[i].status, NULL);
        cr_assert_str_eq(reply.location ? reply.location : "", rows[i].status == 202 ? path : "");
        cr_assert(await_order(customer, order_id, "PAID", 20000));
    }
    expect_laws_hold();
    http_close(customer);
}
