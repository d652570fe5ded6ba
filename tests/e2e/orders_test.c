// Cart, orders and payments over HTTP, rule by rule (SPEC 1 and 2): what each route refuses, and what
// it shows.

#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The star of a path is the id: "/orders/ * /cancel" without the spaces.
static struct http_reply ask_for(struct http_client *customer, const char *method,
                                 const char *pattern, int64_t id, const char *body)
{
    const char *star = strchr(pattern, '*');
    char path[128];
    snprintf(path, sizeof path, "%.*s%lld%s", (int)(star - pattern), pattern, (long long)id,
             star + 1);
    return body ? http_call(customer, method, path, "%s", body)
                : http_call(customer, method, path, NULL);
}

static struct http_reply add_to_cart(struct http_client *customer, int64_t option_id, int quantity)
{
    return http_call(customer, "POST", "/me/cart", "{\"option_id\": %lld, \"quantity\": %d}",
                     (long long)option_id, quantity);
}

static void admin_does(const char *method, const char *pattern, int64_t id, const char *body,
                       long status)
{
    struct http_client *admin = given_admin();
    expect_reply(ask_for(admin, method, pattern, id, body), status, NULL);
    http_close(admin);
}

Test(orders, a_cart_merges_changes_and_forgets_lines)
{
    struct http_client *customer = given_customer(0), *other = given_customer(0);
    int64_t red = given_option(1000, 5), blue = given_option(300, 5);

    expect_reply(add_to_cart(customer, red, 2), 200, NULL);
    expect_reply(add_to_cart(customer, blue, 1), 200, NULL);
    struct http_reply cart = add_to_cart(customer, red, 3);
    expect_reply(cart, 200, NULL);
    cr_assert_eq(json_array_size(json_at(cart.json, "items")), 2);
    cr_assert_eq(json_number(cart.json, "items.0.quantity"), 5);
    cr_assert_eq(json_number(cart.json, "items.0.subtotal"), 5000);
    cr_assert_eq(json_number(cart.json, "total_amount"), 5300);
    int64_t item = json_number(cart.json, "items.0.id");
    cr_assert_eq(available_stock(red), 5, "a cart holds nothing");

    expect_reply(add_to_cart(customer, red, 1), 409, "INSUFFICIENT_STOCK");
    expect_reply(add_to_cart(customer, red, 0), 400, "VALIDATION_ERROR");
    expect_reply(add_to_cart(customer, 987654321, 1), 404, "OPTION_NOT_FOUND");
    expect_reply(ask_for(customer, "PATCH", "/me/cart/*", item, "{\"quantity\": 6}"), 409,
                 "INSUFFICIENT_STOCK");
    expect_reply(ask_for(other, "PATCH", "/me/cart/*", item, "{\"quantity\": 1}"), 403,
                 "FORBIDDEN");
    expect_reply(ask_for(other, "DELETE", "/me/cart/*", item, NULL), 403, "FORBIDDEN");
    cart = ask_for(customer, "PATCH", "/me/cart/*", item, "{\"quantity\": 1}");
    expect_reply(cart, 200, NULL);
    cr_assert_eq(json_number(cart.json, "total_amount"), 1300);
    expect_reply(ask_for(customer, "DELETE", "/me/cart/*", item, NULL), 204, NULL);
    expect_reply(ask_for(customer, "DELETE", "/me/cart/*", item, NULL), 404, "CART_ITEM_NOT_FOUND");
    expect_reply(ask_for(customer, "PATCH", "/me/cart/*", item, "{\"quantity\": 1}"), 404,
                 "CART_ITEM_NOT_FOUND");
    cart = http_call(customer, "GET", "/me/cart", NULL);
    cr_assert_eq(json_number(cart.json, "total_amount"), 300);
    http_close(other);
    http_close(customer);
}

Test(orders, a_cart_shows_the_price_of_now_and_an_order_that_of_then)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(1000, 10);
    struct http_reply cart = add_to_cart(customer, option, 2);
    int64_t item = json_number(cart.json, "items.0.id");

    admin_does("PATCH", "/admin/options/*", option, "{\"price\": 1500, \"name\": \"파랑-M\"}", 200);
    cart = http_call(customer, "GET", "/me/cart", NULL);
    cr_assert_eq(json_number(cart.json, "items.0.price"), 1500);
    cr_assert_eq(json_number(cart.json, "total_amount"), 3000);
    struct http_reply placed =
        http_call(customer, "POST", "/orders", "{\"cart_item_ids\": [%lld]}", (long long)item);
    expect_reply(placed, 201, NULL);
    int64_t order_id = json_number(placed.json, "id");

    admin_does("PATCH", "/admin/options/*", option, "{\"price\": 9900, \"name\": \"초록\"}", 200);
    struct http_reply paid = pay_order(customer, order_id, 0);
    expect_reply(paid, 200, NULL);
    cr_assert_eq(json_number(paid.json, "items.0.unit_price"), 1500);
    cr_assert_str_eq(json_word(paid.json, "items.0.option_name"), "파랑-M");
    cr_assert_eq(json_number(paid.json, "final_amount"), 3000);
    cr_assert_eq(balance_of(customer), 47000);
    expect_laws_hold();
    http_close(customer);
}

Test(orders, what_is_not_for_sale_goes_neither_into_a_cart_nor_into_an_order)
{
    struct http_client *customer = given_customer(0);
    int64_t option = given_option(1000, 10);
    int64_t product = json_number(add_to_cart(customer, option, 1).json, "items.0.product_id");
    static const char ONE[] = "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}]}";

    admin_does("PATCH", "/admin/products/*", product, "{\"is_active\": false}", 200);
    expect_reply(add_to_cart(customer, option, 1), 409, "PRODUCT_NOT_ORDERABLE");
    expect_reply(http_call(customer, "POST", "/orders", ONE, (long long)option), 409,
                 "PRODUCT_NOT_ORDERABLE");
    admin_does("DELETE", "/admin/products/*", product, NULL, 204);
    struct http_reply reply = http_call(customer, "POST", "/orders", ONE, (long long)option);
    expect_reply(reply, 409, "PRODUCT_NOT_ORDERABLE");
    expect_laws_hold();
    http_close(customer);
}

Test(orders, an_order_that_makes_no_sense_names_its_field)
{
    static const struct {
        const char *body, *field;
    } ROWS[] = {
        {"{}",                                                                         "items"          },
        {"{\"items\": []}",                                                            "items"          },
        {"{\"items\": [{\"option_id\": 1, \"quantity\": 0}]}",                         "items.quantity" },
        {"{\"items\": [{\"option_id\": 1, \"quantity\": 11}]}",                        "items.quantity" },
        {"{\"items\": [{\"option_id\": 0, \"quantity\": 1}]}",                         "items.option_id"},
        {"{\"items\": [{\"option_id\": 1, \"quantity\": 1}], \"cart_item_ids\": [1]}",
         "cart_item_ids"                                                                                },
        {"{\"cart_item_ids\": [1, 1]}",                                                "cart_item_ids"  },
        {"{\"items\": [{\"option_id\": 1, \"quantity\": 1}], \"user_coupon_id\": -3}",
         "user_coupon_id"                                                                               },
    };
    struct http_client *customer = given_customer(0);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct http_reply reply = http_call(customer, "POST", "/orders", "%s", ROWS[i].body);
        expect_reply(reply, 400, "VALIDATION_ERROR");
        cr_expect_str_eq(json_word(reply.json, "errors.0.field"), ROWS[i].field, "%s",
                         ROWS[i].body);
    }
    expect_reply(http_call(customer, "POST", "/orders", "{\"cart_item_ids\": [987654321]}"), 404,
                 "CART_ITEM_NOT_FOUND");
    http_close(customer);
}

Test(orders, every_attempt_is_kept_with_its_history_and_shown_to_its_owner)
{
    struct http_client *customer = given_customer(0), *other = given_customer(0);
    int64_t order_id = place_order(customer, given_option(5000, 3), 1, 0);

    expect_reply(pay_order(customer, order_id, 0), 402, "INSUFFICIENT_BALANCE");
    expect_reply(http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 5000}"), 201,
                 NULL);
    expect_reply(pay_order(customer, order_id, 0), 200, NULL);
    struct http_reply list = http_call(customer, "GET", "/me/payments", NULL);
    expect_reply(list, 200, NULL);
    cr_assert_eq(json_array_size(json_at(list.json, "items")), 2);
    cr_assert_str_eq(json_word(list.json, "items.0.status"), "COMPLETED");
    cr_assert_str_eq(json_word(list.json, "items.1.status"), "FAILED");
    int64_t failed_id = json_number(list.json, "items.1.id");

    struct http_reply attempt = ask_for(customer, "GET", "/payments/*", failed_id, NULL);
    expect_reply(attempt, 200, NULL);
    cr_assert_str_eq(json_word(attempt.json, "reason"), "INSUFFICIENT_BALANCE");
    cr_assert_eq(json_array_size(json_at(attempt.json, "history")), 2);
    cr_assert_str_eq(json_word(attempt.json, "history.0.from"), "PENDING");
    cr_assert_str_eq(json_word(attempt.json, "history.0.to"), "PROCESSING");
    cr_assert_str_eq(json_word(attempt.json, "history.1.to"), "FAILED");
    cr_assert_str_eq(json_word(attempt.json, "history.1.reason"), "INSUFFICIENT_BALANCE");
    expect_reply(ask_for(other, "GET", "/payments/*", failed_id, NULL), 403, "FORBIDDEN");
    expect_reply(ask_for(customer, "GET", "/payments/*", 12345, NULL), 404, "PAYMENT_NOT_FOUND");
    expect_laws_hold();
    http_close(other);
    http_close(customer);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

// Ids carry their second: inside one, replicas hand them out in no common order.
Test(orders, are_listed_by_status_newest_first_in_pages)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(1000, 10), ids[4];
    for (size_t i = 0; i < 4; i++)
        ids[i] = place_order(customer, option, 1, 0);
    qsort(ids, 4, sizeof ids[0], compare_ids);
    expect_reply(pay_order(customer, ids[1], 0), 200, NULL);
    expect_reply(ask_for(customer, "POST", "/orders/*/cancel", ids[2], "{}"), 200, NULL);

    struct http_reply page = http_call(customer, "GET", "/me/orders?page_size=3", NULL);
    cr_assert_eq(json_array_size(json_at(page.json, "items")), 3);
    cr_assert_eq(json_number(page.json, "items.0.id"), ids[3]);
    char path[256];
    snprintf(path, sizeof path, "/me/orders?page_size=3&page_token=%s",
             json_word(page.json, "next_page_token"));
    page = http_call(customer, "GET", path, NULL);
    cr_assert_eq(json_number(page.json, "items.0.id"), ids[0]);
    cr_assert_str_empty(json_word(page.json, "next_page_token"));

    static const struct {
        const char *status;
        size_t orders;
    } ROWS[] = {
        {"PENDING",   2},
        {"PAID",      1},
        {"CANCELLED", 1},
        {"HELD",      0}
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        snprintf(path, sizeof path, "/me/orders?status=%s", ROWS[i].status);
        page = http_call(customer, "GET", path, NULL);
        cr_expect_eq(json_array_size(json_at(page.json, "items")), ROWS[i].orders, "%s", path);
    }
    expect_reply(http_call(customer, "GET", "/me/orders?status=LOST", NULL), 400,
                 "VALIDATION_ERROR");
    http_close(customer);
}

Test(orders, an_admin_sends_a_paid_order_on_its_way_step_by_step)
{
    struct http_client *customer = given_customer(50000), *admin = given_admin();
    int64_t order_id = place_order(customer, given_option(1000, 3), 1, 0);
    static const char PATH[] = "/admin/orders/*/status";
    static const struct {
        const char *body;
        long status;
        const char *code;
    } ROWS[] = {
        {"{\"status\": \"SHIPPING\"}",  409, "ILLEGAL_TRANSITION"},
        {"{\"status\": \"PREPARING\"}", 200, NULL                },
        {"{\"status\": \"PREPARING\"}", 409, "ILLEGAL_TRANSITION"},
        {"{\"status\": \"DELIVERED\"}", 409, "ILLEGAL_TRANSITION"},
        {"{\"status\": \"SHIPPING\"}",  200, NULL                },
        {"{\"status\": \"DELIVERED\"}", 200, NULL                },
        {"{\"status\": \"REFUNDED\"}",  400, "VALIDATION_ERROR"  },
        {"{\"status\": \"PAID\"}",      400, "VALIDATION_ERROR"  },
        {"{\"status\": \"SENT\"}",      400, "VALIDATION_ERROR"  },
    };

    expect_reply(ask_for(admin, "PATCH", PATH, order_id, "{\"status\": \"PREPARING\"}"), 409,
                 "ILLEGAL_TRANSITION");
    expect_reply(pay_order(customer, order_id, 0), 200, NULL);
    expect_reply(ask_for(customer, "PATCH", PATH, order_id, ROWS[1].body), 403, "FORBIDDEN");
    expect_reply(ask_for(admin, "PATCH", PATH, 12345, ROWS[1].body), 404, "ORDER_NOT_FOUND");
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        expect_reply(ask_for(admin, "PATCH", PATH, order_id, ROWS[i].body), ROWS[i].status,
                     ROWS[i].code);
    expect_reply(ask_for(customer, "POST", "/orders/*/cancel", order_id, "{}"), 409,
                 "ILLEGAL_TRANSITION");
    struct http_reply order = get_order(customer, order_id);
    static const char *const TIMELINE[] = {"PENDING",   "PAYING",   "PAID",
                                           "PREPARING", "SHIPPING", "DELIVERED"};
    cr_assert_eq(json_array_size(json_at(order.json, "timeline")), 6);
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "timeline.%d.status", i);
        cr_expect_str_eq(json_word(order.json, path), TIMELINE[i]);
    }
    expect_laws_hold();
    http_close(admin);
    http_close(customer);
}

// Under one key: each answer again, a success as well as a refusal, but neither bad input nor what
// another route, another user or another body brings.
Test(orders, a_key_keeps_the_first_answer_of_its_user_and_route)
{
    struct http_client *customer = given_customer(0), *other = given_customer(0);
    int64_t option = given_option(5000, 10);
    char good[128], bad[128], other_body[128], longest[256] = "";
    static const char ORDER[] = "{\"items\": [{\"option_id\": %lld, \"quantity\": %d}]}";
    memset(longest, 'k', 255);
    snprintf(good, sizeof good, ORDER, (long long)option, 1);
    snprintf(bad, sizeof bad, ORDER, (long long)option, 0);
    snprintf(other_body, sizeof other_body, ORDER, (long long)option, 2);

    http_next_key(customer, longest);
    expect_reply(http_call(customer, "POST", "/orders", "%s", bad), 400, "VALIDATION_ERROR");
    http_next_key(customer, longest);
    struct http_reply placed = http_call(customer, "POST", "/orders", "%s", good);
    expect_reply(placed, 201, NULL);
    int64_t order_id = json_number(placed.json, "id");
    http_next_key(customer, longest);
    placed = http_call(customer, "POST", "/orders", "%s", good);
    expect_reply(placed, 201, NULL);
    cr_assert_eq(json_number(placed.json, "id"), order_id);
    http_next_key(customer, longest);
    expect_reply(http_call(customer, "POST", "/orders", "%s", other_body), 422,
                 "IDEMPOTENCY_KEY_REUSED");
    http_next_key(other, longest);
    placed = http_call(other, "POST", "/orders", "%s", good);
    expect_reply(placed, 201, NULL);
    cr_assert_neq(json_number(placed.json, "id"), order_id, "another user's key");

    http_next_key(customer, longest);
    expect_reply(pay_order(customer, order_id, 0), 402, "INSUFFICIENT_BALANCE");
    http_next_key(customer, longest);
    expect_reply(http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 5000}"), 201,
                 NULL);
    http_next_key(customer, longest);
    expect_reply(pay_order(customer, order_id, 0), 402, "INSUFFICIENT_BALANCE");
    expect_reply(pay_order(customer, order_id, 0), 200, NULL);
    cr_assert_eq(available_stock(option), 8);
    expect_laws_hold();
    http_close(other);
    http_close(customer);
}

Test(orders, a_key_of_more_than_255_characters_is_refused)
{
    static const char *const ROUTES[] = {"/orders", "/checkout", "/orders/1/payment",
                                         "/me/balance/charges", "/me/cart"};
    char too_long[257] = "";
    struct http_client *customer = given_customer(0);
    memset(too_long, 'k', 256);
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        http_next_key(customer, too_long);
        expect_reply(http_call(customer, "POST", ROUTES[i], "{}"), 400, "VALIDATION_ERROR");
    }
    http_close(customer);
}

// Always the same address and the same key.
static struct http_reply sign_up_under_key(const char *password)
{
    static struct http_client *nobody;
    if (!nobody)
        nobody = http_open(NULL);
    http_next_key(nobody, "sign-up");
    return http_call(nobody, "POST", "/auth/signup",
                     "{\"email\": \"twice-%ld@example.com\", \"password\": \"%s\","
                     " \"name\": \"Twice\"}",
                     (long)getpid(), password);
}

// The others that take a key: what is made, added or given back once under it.
Test(orders, a_key_is_taken_wherever_a_post_changes_something)
{
    struct http_client *customer = given_customer(5000);
    int64_t option = given_option(1000, 10), campaign = given_campaign("FIXED", 100, 5), made = 0;
    char path[64];

    for (int i = 0; i < 2; i++) {
        http_next_key(customer, "add");
        struct http_reply cart = add_to_cart(customer, option, 2);
        cr_expect_eq(json_number(cart.json, "items.0.quantity"), 2);
    }
    snprintf(path, sizeof path, "/coupons/%lld/claims", (long long)campaign);
    for (int i = 0; i < 2; i++) {
        http_next_key(customer, "claim");
        struct http_reply reply = http_call(customer, "POST", path, "{}");
        expect_reply(reply, 201, NULL);
        cr_expect_eq(json_number(reply.json, "rank"), 1);
    }
    for (int i = 0; i < 2; i++) {
        struct http_reply reply = sign_up_under_key("Secret!1");
        expect_reply(reply, 201, NULL);
        cr_expect(i == 0 || json_number(reply.json, "user.id") == made, "another account");
        made = json_number(reply.json, "user.id");
    }
    expect_reply(sign_up_under_key("Another!1"), 409, "EMAIL_TAKEN");
    int64_t order_id = place_order(customer, option, 1, 0);
    for (int i = 0; i < 2; i++) {
        http_next_key(customer, "cancel");
        expect_reply(ask_for(customer, "POST", "/orders/*/cancel", order_id, "{}"), 200, NULL);
    }
    expect_reply(ask_for(customer, "POST", "/orders/*/cancel", order_id, "{}"), 409,
                 "ILLEGAL_TRANSITION");
    expect_laws_hold();
    http_close(customer);
}

// The order that used it had the discount; what it paid comes back, and the coupon does not.
Test(orders, a_coupon_that_was_cancelled_after_its_use_stays_cancelled_when_its_order_is_refunded)
{
    struct http_client *customer = given_customer(5000);
    int64_t coupon = claim(customer, given_campaign("FIXED", 1000, 5));
    int64_t order_id = place_order(customer, given_option(5000, 10), 1, coupon);
    expect_reply(pay_order(customer, order_id, 0), 200, NULL);
    admin_does("POST", "/admin/user-coupons/*/cancel", coupon, "{}", 200);
    expect_laws_hold();
    expect_reply(ask_for(customer, "POST", "/orders/*/cancel", order_id, "{}"), 200, NULL);
    cr_expect_str_eq(order_status(customer, order_id), "REFUNDED");
    cr_expect_str_eq(coupon_status(customer, coupon), "CANCELLED");
    cr_expect_eq(balance_of(customer), 5000);
    expect_laws_hold();
    http_close(customer);
}
