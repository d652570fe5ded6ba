// The limits and the block with their default settings, on the last gateway, which each test starts
// anew with them and gives back without. What is needed first is made through the other one.

#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int last;
static char api[96];

static void restart_gateway(void)
{
    stack_signal("gateway", last, SIGKILL);
    stack_start_gateway(last);
}

static void set_up(void)
{
    last = stack_replicas() - 1;
    snprintf(api, sizeof api, "%s/api/v1", stack_gateway(last));
}

static void tear_down(void)
{
    static const char *const names[] = {"BARO_LIMIT_ORDERS", "BARO_LIMIT_CLAIMS",
                                        "BARO_LIMIT_LOGINS", "BARO_BLOCK_FAILURES"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        setenv(names[i], "off", 1);
    restart_gateway();
}

TestSuite(limits, .init = set_up, .fini = tear_down);

// From here on this process speaks to the gateway that has this one setting at its default.
static void given_default_of(const char *name)
{
    unsetenv(name);
    restart_gateway();
    setenv("BARO_TEST_API", api, 1);
}

static struct http_reply order(struct http_client *customer, int64_t option)
{
    return http_call(customer, "POST", "/orders",
                     "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}]}", (long long)option);
}

static struct http_reply pay(struct http_client *customer, int64_t order_id)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    http_next_header(customer, "Prefer: wait=10");
    return http_call(customer, "POST", path, "{}");
}

Test(limits, an_order_is_paid_at_once_and_the_next_one_waits_a_second)
{
    int64_t option = given_option(1000, 10);
    given_default_of("BARO_LIMIT_ORDERS");
    struct http_client *customer = given_customer(10000);

    struct http_reply first = order(customer, option);
    expect_reply(first, 201, NULL);
    int64_t order_id = json_number(first.json, "id");
    expect_reply(pay(customer, order_id), 200, NULL);
    expect_reply(order(customer, option), 429, "RATE_LIMITED");
    struct http_reply next = order(customer, option);
    for (int tries = 0; next.status == 429 && tries < 500; tries++) {
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
        next = order(customer, option);
    }
    expect_reply(next, 201, NULL);
    http_close(customer);
}

Test(limits, the_fourth_claim_in_a_minute_is_refused)
{
    int64_t campaigns[4];
    for (int i = 0; i < 4; i++)
        campaigns[i] = given_campaign("FIXED", 1000, 5);
    given_default_of("BARO_LIMIT_CLAIMS");
    struct http_client *customer = given_customer(0);

    for (int i = 0; i < 4; i++) {
        char path[64];
        snprintf(path, sizeof path, "/coupons/%lld/claims", (long long)campaigns[i]);
        expect_reply(http_call(customer, "POST", path, "{}"), i < 3 ? 201 : 429,
                     i < 3 ? NULL : "RATE_LIMITED");
    }
    http_close(customer);
}

Test(limits, the_sixth_login_in_a_minute_is_refused)
{
    given_default_of("BARO_LIMIT_LOGINS");
    struct http_client *anyone = http_open(NULL);

    for (int i = 0; i < 6; i++)
        expect_reply(http_call(anyone, "POST", "/auth/login",
                               "{\"email\": \"nobody-%ld@example.com\", \"password\": \"x\"}",
                               (long)getppid()),
                     i < 5 ? 401 : 429, i < 5 ? "UNAUTHENTICATED" : "RATE_LIMITED");
    http_close(anyone);
}

Test(limits, five_refused_payments_block_and_the_order_stays_as_it_is)
{
    int64_t option = given_option(20000, 10);
    given_default_of("BARO_BLOCK_FAILURES");
    struct http_client *customer = given_customer(1000), *other = given_customer(50000);
    int64_t order_id = place_order(customer, option, 1, 0);

    for (int i = 0; i < 5; i++)
        expect_reply(pay(customer, order_id), 402, "INSUFFICIENT_BALANCE");
    expect_reply(pay(customer, order_id), 429, "TEMPORARILY_BLOCKED");
    expect_reply(order(customer, option), 429, "TEMPORARILY_BLOCKED");
    cr_assert_str_eq(order_status(customer, order_id), "PENDING");
    expect_reply(pay(other, place_order(other, option, 1, 0)), 200, NULL);
    expect_laws_hold();
    http_close(other);
    http_close(customer);
}

Test(limits, a_payment_that_succeeds_starts_the_count_anew)
{
    int64_t option = given_option(20000, 10);
    given_default_of("BARO_BLOCK_FAILURES");
    struct http_client *customer = given_customer(1000);
    int64_t order_id = place_order(customer, option, 1, 0);

    for (int i = 0; i < 4; i++)
        expect_reply(pay(customer, order_id), 402, NULL);
    expect_reply(http_call(customer, "POST", "/me/balance/charges", "{\"amount\": 20000}"), 201,
                 NULL);
    expect_reply(pay(customer, order_id), 200, NULL);
    order_id = place_order(customer, option, 1, 0);
    for (int i = 0; i < 4; i++)
        expect_reply(pay(customer, order_id), 402, "INSUFFICIENT_BALANCE");
    expect_laws_hold();
    http_close(customer);
}
