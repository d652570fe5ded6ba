// Mistakes that systems like this one are known to make, each tried here over HTTP. Others stand where
// they can be made to happen: `recovery run by several replicas`, `payment failure followed by expiry`
// and `restart in the middle of the ten minutes` in tests/integration/order, `releasing a hold that was
// confirmed` in tests/integration/product, `ranks under a thousand claims` in tests/integration/coupon,
// `the same request eight times at once` in rush_test.c.

#include "tests/support/database.h"
#include "tests/support/replicas.h"
#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t entries_of_type(struct http_client *customer, const char *type)
{
    char path[64];
    snprintf(path, sizeof path, "/me/balance/history?type=%s", type);
    struct http_reply reply = http_call(customer, "GET", path, NULL);
    expect_reply(reply, 200, NULL);
    return json_array_size(json_at(reply.json, "items"));
}

static int64_t total_of_orders(struct http_client *customer)
{
    struct http_reply reply = http_call(customer, "GET", "/me/orders?page_size=100", NULL);
    expect_reply(reply, 200, NULL);
    return (int64_t)json_array_size(json_at(reply.json, "items"));
}

// Every replica of the order service is lost, machine and all, after the wallet has paid and before the
// order is PAID.
Test(mistake, a_crash_between_money_taken_and_order_paid)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 3), order_id = place_order(customer, option, 1, 0);
    struct gate *gate = gate_close(test_admin_url("baro_order"), "payment", "UPDATE");

    expect_reply(begin_payment(customer, order_id), 202, NULL);
    gate_await(gate, 1);
    cr_assert_eq(balance_of(customer), 30000, "the money is taken");
    cr_assert_str_neq(order_status(customer, order_id), "PAID");
    stack_kill_all("order");
    gate_cut(gate);
    gate_open(gate);
    stack_start_all("order");
    cr_assert(await_order(customer, order_id, "PAID", 60000), "it is %s",
              order_status(customer, order_id));
    cr_assert_eq(balance_of(customer), 30000, "once");
    cr_assert_eq(entries_of_type(customer, "USE"), 1);
    cr_assert_eq(available_stock(option), 2);
    expect_laws_hold();
    http_close(customer);
}

Test(mistake, a_coupon_that_leaves_nothing_to_pay_still_moves_the_wallet)
{
    static const struct {
        const char *type;
        int value;
    } COUPONS[] = {
        {"PERCENT", 100  },
        {"FIXED",   30000}, // above the amount of the order
        {"FIXED",   20000},
    };
    for (size_t i = 0; i < sizeof COUPONS / sizeof COUPONS[0]; i++) {
        struct http_client *customer = given_customer(0);
        int64_t coupon = claim(customer, given_campaign(COUPONS[i].type, COUPONS[i].value, 5));
        int64_t order_id = place_order(customer, given_option(20000, 3), 1, coupon);
        struct http_reply paid = pay_order(customer, order_id, 0);
        expect_reply(paid, 200, NULL);
        cr_assert_str_eq(json_word(paid.json, "status"), "PAID");
        cr_assert_eq(json_number(paid.json, "discount_amount"), 20000);
        cr_assert_eq(json_number(paid.json, "final_amount"), 0);
        cr_assert_eq(json_number(paid.json, "payments.0.amount"), 0);
        cr_assert_eq(entries_of_type(customer, "USE"), 0);
        expect_laws_hold();
        char path[64];
        snprintf(path, sizeof path, "/orders/%lld/cancel", (long long)order_id);
        expect_reply(http_call(customer, "POST", path, "{}"), 200, NULL);
        cr_assert(await_order(customer, order_id, "REFUNDED", 20000));
        cr_assert_eq(entries_of_type(customer, "REFUND"), 0);
        cr_assert_str_eq(coupon_status(customer, coupon), "AVAILABLE");
        expect_laws_hold();
        http_close(customer);
    }
}

// Neither with the order nor with the payment; nothing is consumed on the way.
static void expect_not_usable(struct http_client *customer, int64_t coupon)
{
    int64_t option = given_option(20000, 3);
    char body[128];
    snprintf(body, sizeof body,
             "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}], \"user_coupon_id\": %lld}",
             (long long)option, (long long)coupon);
    int64_t orders = total_of_orders(customer), balance = balance_of(customer);
    expect_reply(http_call(customer, "POST", "/orders", "%s", body), 400, "COUPON_NOT_USABLE");
    cr_assert_eq(total_of_orders(customer), orders);

    int64_t order_id = place_order(customer, option, 1, 0);
    expect_reply(pay_order(customer, order_id, coupon), 400, "COUPON_NOT_USABLE");
    struct http_reply order = get_order(customer, order_id);
    cr_assert_str_eq(json_word(order.json, "status"), "PENDING");
    cr_assert_str_eq(json_word(order.json, "payments.0.status"), "FAILED");
    cr_assert_str_eq(json_word(order.json, "payments.0.reason"), "COUPON_NOT_USABLE");
    cr_assert_eq(json_number(order.json, "discount_amount"), 0);
    cr_assert_eq(balance_of(customer), balance);
    cr_assert_eq(available_stock(option), 2, "one order holds one");
    expect_laws_hold();
}

Test(mistake, a_coupon_of_somebody_else_is_taken)
{
    struct http_client *owner = given_customer(0), *customer = given_customer(50000);
    int64_t coupon = claim(owner, given_campaign("FIXED", 1000, 5));
    expect_not_usable(customer, coupon);
    cr_assert_str_eq(coupon_status(owner, coupon), "AVAILABLE");
    http_close(customer);
    http_close(owner);
}

static void change_coupon(int64_t coupon, const char *change)
{
    SCOPED(db) *db = db_create(getenv("BARO_COUPON_DATABASE_URL"), "e2e");
    char sql[256];
    snprintf(sql, sizeof sql, "UPDATE user_coupon SET %s WHERE id = %lld", change,
             (long long)coupon);
    test_script(db, sql);
}

Test(mistake, a_coupon_that_has_expired_is_taken)
{
    struct http_client *customer = given_customer(50000);
    int64_t coupon = claim(customer, given_campaign("FIXED", 1000, 5));
    change_coupon(coupon, "expires_at = now()");
    expect_not_usable(customer, coupon);
    http_close(customer);
}

static int64_t given_campaign_with(const char *terms, const char *code)
{
    struct http_client *admin = given_admin();
    struct http_reply reply =
        http_call(admin, "POST", "/admin/coupons",
                  "{\"name\": \"Campaign\", \"code\": \"%s-%lld\", \"type\": \"FIXED\", "
                  "\"value\": 1000, \"total_quantity\": 5, \"valid_days\": 7, %s}",
                  code, (long long)getpid(), terms);
    expect_reply(reply, 201, NULL);
    int64_t id = json_number(reply.json, "id");
    http_close(admin);
    return id;
}

Test(mistake, a_coupon_is_used_below_its_minimum)
{
    struct http_client *customer = given_customer(50000);
    int64_t coupon = claim(customer, given_campaign_with("\"min_order_amount\": 20001, "
                                                         "\"starts_at\": \"2020-01-01T00:00:00Z\", "
                                                         "\"ends_at\": \"2099-01-01T00:00:00Z\"",
                                                         "MINIMUM"));
    expect_not_usable(customer, coupon);
    cr_assert_str_eq(coupon_status(customer, coupon), "AVAILABLE");
    http_close(customer);
}

Test(mistake, a_campaign_gives_coupons_before_it_opens_or_after_it_closed)
{
    static const char *const WINDOWS[] = {
        "\"min_order_amount\": 0, \"starts_at\": \"2098-01-01T00:00:00Z\", "
        "\"ends_at\": \"2099-01-01T00:00:00Z\"",
        "\"min_order_amount\": 0, \"starts_at\": \"2020-01-01T00:00:00Z\", "
        "\"ends_at\": \"2021-01-01T00:00:00Z\""};
    struct http_client *customer = given_customer(0);
    for (size_t i = 0; i < 2; i++) {
        int64_t id = given_campaign_with(WINDOWS[i], i ? "CLOSED" : "EARLY");
        char path[64];
        snprintf(path, sizeof path, "/coupons/%lld/claims", (long long)id);
        expect_reply(http_call(customer, "POST", path, "{}"), 403, "COUPON_WINDOW_CLOSED");
        snprintf(path, sizeof path, "/coupons/%lld", (long long)id);
        struct http_reply campaign = http_call(customer, "GET", path, NULL);
        cr_assert_eq(json_number(campaign.json, "remaining_quantity"), 5);
    }
    expect_laws_hold();
    http_close(customer);
}

Test(mistake, the_same_option_twice_in_one_order_is_two_lines)
{
    struct http_client *customer = given_customer(0);
    int64_t option = given_option(1000, 20);
    static const char TWICE[] = "{\"items\": [{\"option_id\": %lld, \"quantity\": %d}, "
                                "{\"option_id\": %lld, \"quantity\": %d}]}";
    struct http_reply placed =
        http_call(customer, "POST", "/orders", TWICE, (long long)option, 4, (long long)option, 6);
    expect_reply(placed, 201, NULL);
    cr_assert_eq(json_array_size(json_at(placed.json, "items")), 1);
    cr_assert_eq(json_number(placed.json, "items.0.quantity"), 10);
    cr_assert_eq(json_number(placed.json, "total_amount"), 10000);
    cr_assert_eq(available_stock(option), 10);
    expect_reply(
        http_call(customer, "POST", "/orders", TWICE, (long long)option, 4, (long long)option, 7),
        400, "VALIDATION_ERROR");
    cr_assert_eq(available_stock(option), 10);
    expect_laws_hold();
    http_close(customer);
}

enum { BUYERS = 20, ROUNDS = 5 };

struct buyer {
    pthread_t thread;
    struct http_client *client;
    int64_t first, second;
    int served;
};

static void *buy(void *arg)
{
    struct buyer *buyer = arg;
    for (int i = 0; i < ROUNDS; i++)
        buyer->served += http_call(buyer->client, "POST", "/orders",
                                   "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}, "
                                   "{\"option_id\": %lld, \"quantity\": 1}]}",
                                   (long long)buyer->first, (long long)buyer->second)
                             .status == 201;
    return NULL;
}

Test(mistake, opposite_orders_of_the_same_options_at_once_deadlock)
{
    static struct buyer buyers[BUYERS];
    int64_t options[] = {given_option(1000, 1000), given_option(1000, 1000)};
    int served = 0;

    for (int i = 0; i < BUYERS; i++) {
        buyers[i] = (struct buyer){
            .client = given_customer(0), .first = options[i % 2], .second = options[1 - i % 2]};
        pthread_create(&buyers[i].thread, NULL, buy, &buyers[i]);
    }
    for (int i = 0; i < BUYERS; i++) {
        pthread_join(buyers[i].thread, NULL);
        served += buyers[i].served;
        http_close(buyers[i].client);
    }
    cr_assert_eq(served, BUYERS * ROUNDS);
    cr_assert_eq(available_stock(options[0]), 1000 - served);
    cr_assert_eq(available_stock(options[1]), 1000 - served);
    expect_laws_hold();
}

static struct http_reply cancel_order(struct http_client *customer, int64_t order_id)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/cancel", (long long)order_id);
    return http_call(customer, "POST", path, "{}");
}

// That of an expired one stands in journey_test.c, after its twenty seconds.
Test(mistake, an_order_that_is_cancelled_paid_or_refunded_is_paid_again)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 5);
    int64_t cancelled = place_order(customer, option, 1, 0);
    int64_t paid = place_order(customer, option, 1, 0);

    expect_reply(cancel_order(customer, cancelled), 200, NULL);
    expect_reply(pay_order(customer, cancelled, 0), 409, "ORDER_NOT_PAYABLE");
    expect_reply(cancel_order(customer, cancelled), 409, "ILLEGAL_TRANSITION");
    expect_reply(pay_order(customer, paid, 0), 200, NULL);
    expect_reply(pay_order(customer, paid, 0), 409, "ORDER_ALREADY_PAID");
    cr_assert_eq(balance_of(customer), 30000);
    expect_reply(cancel_order(customer, paid), 200, NULL);
    cr_assert(await_order(customer, paid, "REFUNDED", 20000));
    expect_reply(pay_order(customer, paid, 0), 409, "ORDER_ALREADY_PAID");
    expect_reply(cancel_order(customer, paid), 409, "ILLEGAL_TRANSITION");
    cr_assert_eq(balance_of(customer), 50000);
    expect_laws_hold();
    cr_assert_eq(available_stock(option), 5,
                 "also of the cancelled one, whose stock a saga gives back");
    http_close(customer);
}

// Two of them; the id of the product.
static int64_t put_in_cart(struct http_client *customer, int64_t option_id)
{
    struct http_reply cart =
        http_call(customer, "POST", "/me/cart", "{\"option_id\": %lld, \"quantity\": 2}",
                  (long long)option_id);
    expect_reply(cart, 200, NULL);
    cr_assert_eq(json_number(cart.json, "total_amount"), 2000);
    return json_number(cart.json, "items.0.product_id");
}

static void set_active(int64_t product_id, const char *active)
{
    struct http_client *admin = given_admin();
    char path[64];
    snprintf(path, sizeof path, "/admin/products/%lld", (long long)product_id);
    expect_reply(http_call(admin, "PATCH", path, "{\"is_active\": %s}", active), 200, NULL);
    http_close(admin);
}

Test(mistake, a_product_is_ordered_that_was_deactivated_while_it_lay_in_the_cart)
{
    struct http_client *customer = given_customer(5000);
    int64_t option = given_option(1000, 20), product = put_in_cart(customer, option);
    struct http_reply cart = http_call(customer, "GET", "/me/cart", NULL);
    int64_t item = json_number(cart.json, "items.0.id");

    set_active(product, "false");
    expect_reply(
        http_call(customer, "POST", "/orders", "{\"cart_item_ids\": [%lld]}", (long long)item), 409,
        "PRODUCT_NOT_ORDERABLE");
    cart = http_call(customer, "GET", "/me/cart", NULL);
    cr_assert_eq(json_number(cart.json, "items.0.id"), item, "it stays in the cart");
    cr_assert_eq(available_stock(option), 20);
    cr_assert_eq(total_of_orders(customer), 0);

    set_active(product, "true");
    expect_reply(
        http_call(customer, "POST", "/orders", "{\"cart_item_ids\": [%lld]}", (long long)item), 201,
        NULL);
    cart = http_call(customer, "GET", "/me/cart", NULL);
    cr_assert_eq(json_array_size(json_at(cart.json, "items")), 0);
    cr_assert_eq(available_stock(option), 18);
    expect_laws_hold();
    http_close(customer);
}
