// Following an order over HTTP, through any gateway, whatever dies meanwhile.

#include "tests/support/follower.h"
#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SOON_MS = 20000, WAIT_MS = 60000 };

static struct http_reply pay(struct http_client *customer, int64_t order_id, const char *prefer)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    http_next_header(customer, prefer);
    return http_call(customer, "POST", path, "{}");
}

static void cancel(struct http_client *customer, int64_t order_id)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/cancel", (long long)order_id);
    expect_reply(http_call(customer, "POST", path, "{}"), 200, NULL);
}

static void set_status(int64_t order_id, const char *status)
{
    char path[64];
    struct http_client *admin = given_admin();
    snprintf(path, sizeof path, "/admin/orders/%lld/status", (long long)order_id);
    expect_reply(http_call(admin, "PATCH", path, "{\"status\": \"%s\"}", status), 200, NULL);
    http_close(admin);
}

Test(follow, a_paid_order_is_followed_until_it_is_delivered)
{
    struct http_client *customer = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(20000, 10), 1, 0);
    struct follower *follower = follow_order(customer, 0, order_id, NULL);
    cr_assert(follower_sees(follower, "\"status\":\"PENDING\"", SOON_MS));
    expect_reply(pay(customer, order_id, "Prefer: wait=10"), 200, NULL);
    cr_assert(follower_sees(follower, "\"status\":\"PAID\"", SOON_MS));
    set_status(order_id, "PREPARING");
    set_status(order_id, "SHIPPING");
    set_status(order_id, "DELIVERED");
    cr_assert(follower_ends(follower, SOON_MS), "%s", follower_story(follower));
    cr_assert_str_eq(follower_story(follower), "PENDING PAYING debit_wallet confirm_stock PAID "
                                               "PREPARING SHIPPING DELIVERED");
    follower_close(follower);
    expect_laws_hold();
    http_close(customer);
}

Test(follow, a_refusal_and_a_refund_are_followed_and_resumed_at_the_other_gateway)
{
    struct http_client *customer = given_customer(1000);
    int64_t order_id = place_order(customer, given_option(20000, 10), 1, 0);
    struct follower *first = follow_order(customer, 0, order_id, NULL);
    cr_assert(follower_sees(first, "\"status\":\"PENDING\"", SOON_MS));
    expect_reply(pay(customer, order_id, "Prefer: wait=10"), 402, "INSUFFICIENT_BALANCE");
    cr_assert(follower_sees(first, "\"reason\":\"INSUFFICIENT_BALANCE\"", SOON_MS));
    cr_assert_str_eq(follower_story(first), "PENDING PAYING debit_wallet PENDING");
    char middle[64];
    snprintf(middle, sizeof middle, "%s", follower_id(first, 2)); // the step
    follower_close(first);

    expect_reply(http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 50000}"), 201,
                 NULL);
    struct follower *second = follow_order(customer, stack_replicas() - 1, order_id, middle);
    expect_reply(pay(customer, order_id, "Prefer: wait=10"), 200, NULL);
    cancel(customer, order_id);
    cr_assert(follower_ends(second, SOON_MS), "%s", follower_story(second));
    cr_assert_str_eq(follower_story(second), "PENDING PAYING debit_wallet confirm_stock PAID "
                                             "REFUNDING refund_wallet return_stock REFUNDED");
    follower_close(second);

    // Who comes late sees the whole, with the same ids.
    struct follower *late = follow_order(customer, 0, order_id, NULL);
    cr_assert(follower_ends(late, SOON_MS));
    cr_assert_str_eq(follower_id(late, 2), middle);
    cr_assert_str_eq(follower_story(late),
                     "PENDING PAYING debit_wallet PENDING PAYING debit_wallet confirm_stock PAID "
                     "REFUNDING refund_wallet return_stock REFUNDED");
    follower_close(late);
    expect_laws_hold();
    http_close(customer);
}

Test(follow, silence_is_broken_by_heartbeats_and_ends_with_the_order)
{
    struct http_client *customer = given_customer(0);
    int64_t order_id = place_order(customer, given_option(20000, 10), 1, 0);
    struct follower *follower = follow_order(customer, 0, order_id, NULL);
    cr_assert(follower_sees(follower, "\n\n: still here\n\n", SOON_MS));
    end_time_to_pay(order_id);
    cr_assert(follower_ends(follower, WAIT_MS));
    cr_assert_str_eq(follower_story(follower), "PENDING EXPIRED");
    follower_close(follower);
    expect_laws_hold();
    http_close(customer);
}

Test(follow, is_for_the_owner_only)
{
    struct http_client *customer = given_customer(0), *other = given_customer(0);
    int64_t order_id = place_order(customer, given_option(20000, 10), 1, 0);
    struct follower *stranger = follow_order(other, 0, order_id, NULL);
    cr_assert(follower_ends(stranger, SOON_MS));
    cr_assert_eq(follower_status(stranger), 403);
    follower_close(stranger);
    struct follower *lost = follow_order(customer, 0, order_id + 1, NULL);
    cr_assert(follower_ends(lost, SOON_MS));
    cr_assert_eq(follower_status(lost), 404);
    follower_close(lost);
    cancel(customer, order_id);
    expect_laws_hold();
    http_close(other);
    http_close(customer);
}

Test(follow, outlives_the_death_of_every_service_behind_it)
{
    struct http_client *customer = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(20000, 10), 1, 0);
    struct follower *follower = follow_order(customer, 0, order_id, NULL);
    cr_assert(follower_sees(follower, "\"status\":\"PENDING\"", SOON_MS));
    for (int i = 0; i < stack_replicas(); i++)
        stack_signal("user", i, SIGKILL);
    expect_reply(pay(customer, order_id, "Prefer: respond-async"), 202, NULL);
    cr_assert(follower_sees(follower, "\"status\":\"PAYING\"", SOON_MS));
    for (int i = 0; i < stack_replicas(); i++)
        stack_signal("order", i, SIGKILL);
    for (int i = 0; i < stack_replicas(); i++) {
        stack_start("order", i);
        stack_start("user", i);
    }
    cr_assert(follower_sees(follower, "\"status\":\"PAID\"", WAIT_MS), "%s",
              follower_story(follower));
    follower_close(follower);
    expect_laws_hold();
    http_close(customer);
}

Test(follow, goes_on_at_another_gateway_when_one_leaves)
{
    int last = stack_replicas() - 1;
    struct http_client *customer = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(20000, 10), 1, 0);
    struct follower *first = follow_order(customer, last, order_id, NULL);
    cr_assert(follower_sees(first, "\"status\":\"PENDING\"", SOON_MS));
    stack_stop("gateway", last);
    cr_assert(follower_ends(first, SOON_MS), "the stream was cut off");
    struct follower *second = follow_order(customer, 0, order_id, follower_id(first, 0));
    expect_reply(pay(customer, order_id, "Prefer: wait=10"), 200, NULL);
    cr_assert(follower_sees(second, "\"status\":\"PAID\"", SOON_MS));
    cr_assert_str_eq(follower_story(second), "PAYING debit_wallet confirm_stock PAID");
    follower_close(second);
    follower_close(first);
    stack_start_gateway(last);
    expect_laws_hold();
    http_close(customer);
}
