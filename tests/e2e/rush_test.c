// Many at once, with exact outcomes, over HTTP and two replicas of each service.

#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 40, ORDERS_EACH = 25 };

// One request of a rush: its own connection, started together with the others.
struct rusher {
    pthread_t thread;
    pthread_barrier_t *start;
    struct http_client *client;
    char path[64];
    char body[128];
    int times;
    int served; // 2xx
    int refused[600];
    char code[64]; // of the last refusal
};

static void *rush_one(void *arg)
{
    struct rusher *rusher = arg;
    pthread_barrier_wait(rusher->start);
    for (int i = 0; i < rusher->times; i++) {
        http_next_header(rusher->client, "Prefer: wait=20");
        struct http_reply reply =
            http_call(rusher->client, "POST", rusher->path, "%s", rusher->body);
        if (reply.status >= 200 && reply.status < 300)
            rusher->served++;
        else
            rusher->refused[reply.status]++;
        if (reply.status >= 400)
            snprintf(rusher->code, sizeof rusher->code, "%s", json_word(reply.json, "code"));
    }
    return NULL;
}

static void rush(struct rusher *rushers, int count)
{
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        rushers[i].start = &start;
        pthread_create(&rushers[i].thread, NULL, rush_one, &rushers[i]);
    }
    for (int i = 0; i < count; i++)
        pthread_join(rushers[i].thread, NULL);
    pthread_barrier_destroy(&start);
}

static struct rusher payer(struct http_client *client, int64_t order_id, int64_t user_coupon_id)
{
    struct rusher rusher = {.client = client, .times = 1, .body = "{}"};
    snprintf(rusher.path, sizeof rusher.path, "/orders/%lld/payment", (long long)order_id);
    if (user_coupon_id)
        snprintf(rusher.body, sizeof rusher.body, "{\"user_coupon_id\": %lld}",
                 (long long)user_coupon_id);
    return rusher;
}

// A second connection of the same customer.
static struct http_client *same_customer(struct http_client *customer)
{
    struct http_client *client = http_open(NULL);
    http_sign_in(client, http_token(customer));
    return client;
}

static int rush_for(int64_t stock, int *refused)
{
    static struct rusher rushers[CUSTOMERS];
    int64_t option = given_option(100, stock);
    int served = 0;

    *refused = 0;
    for (int i = 0; i < CUSTOMERS; i++) {
        rushers[i] =
            (struct rusher){.client = given_customer(0), .times = ORDERS_EACH, .path = "/orders"};
        snprintf(rushers[i].body, sizeof rushers[i].body,
                 "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}]}", (long long)option);
    }
    rush(rushers, CUSTOMERS);
    for (int i = 0; i < CUSTOMERS; i++) {
        served += rushers[i].served;
        *refused += rushers[i].refused[409];
        cr_expect(rushers[i].refused[409] == 0 || !strcmp(rushers[i].code, "INSUFFICIENT_STOCK"),
                  "%s", rushers[i].code);
        http_close(rushers[i].client);
    }
    cr_assert_eq(available_stock(option), stock - served);
    expect_laws_hold();
    return served;
}

Test(rush, a_thousand_orders_for_a_thousand_in_stock_are_all_served)
{
    int refused;
    cr_assert_eq(rush_for(1000, &refused), 1000);
    cr_assert_eq(refused, 0);
}

Test(rush, a_thousand_orders_for_a_hundred_in_stock_get_exactly_a_hundred)
{
    int refused;
    cr_assert_eq(rush_for(100, &refused), 100);
    cr_assert_eq(refused, 900);
}

Test(rush, three_payments_of_one_order_complete_once)
{
    struct http_client *customer = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(20000, 3), 1, 0);
    struct rusher rushers[3];
    int served = 0;

    for (int i = 0; i < 3; i++)
        rushers[i] = payer(same_customer(customer), order_id, 0);
    rush(rushers, 3);
    for (int i = 0; i < 3; i++)
        served += rushers[i].served;
    cr_assert_eq(served, 1);
    cr_assert_eq(balance_of(customer), 30000);
    expect_laws_hold();
}

Test(rush, one_coupon_pays_for_one_of_two_orders)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(10000, 10);
    int64_t coupon = claim(customer, given_campaign("FIXED", 3000, 5));
    struct rusher rushers[2];

    for (int i = 0; i < 2; i++)
        rushers[i] = payer(same_customer(customer), place_order(customer, option, 1, 0), coupon);
    rush(rushers, 2);
    cr_assert_eq(rushers[0].served + rushers[1].served, 1);
    cr_assert_str_eq(rushers[0].served ? rushers[1].code : rushers[0].code, "COUPON_NOT_USABLE");
    cr_assert_eq(balance_of(customer), 43000);
    expect_laws_hold();
}

Test(rush, a_balance_pays_for_as_many_orders_as_it_permits)
{
    enum { ORDERS = 10 };
    struct http_client *customer = given_customer(5000);
    int64_t option = given_option(1000, 100);
    struct rusher rushers[ORDERS];
    int served = 0, refused = 0;

    for (int i = 0; i < ORDERS; i++)
        rushers[i] = payer(same_customer(customer), place_order(customer, option, 1, 0), 0);
    rush(rushers, ORDERS);
    for (int i = 0; i < ORDERS; i++) {
        served += rushers[i].served;
        refused += rushers[i].refused[402];
    }
    cr_assert_eq(served, 5);
    cr_assert_eq(refused, 5);
    cr_assert_eq(balance_of(customer), 0);
    expect_laws_hold();
}

Test(rush, the_same_request_eight_times_at_once_is_one_order)
{
    enum { COPIES = 8 };
    struct http_client *customer = given_customer(0);
    int64_t option = given_option(1000, 100);
    struct rusher rushers[COPIES];

    for (int i = 0; i < COPIES; i++) {
        rushers[i] =
            (struct rusher){.client = same_customer(customer), .times = 1, .path = "/orders"};
        http_next_key(rushers[i].client, "one-key");
        snprintf(rushers[i].body, sizeof rushers[i].body,
                 "{\"items\": [{\"option_id\": %lld, \"quantity\": 2}]}", (long long)option);
    }
    rush(rushers, COPIES);
    for (int i = 0; i < COPIES; i++)
        cr_assert(rushers[i].served == 1 || !strcmp(rushers[i].code, "REQUEST_IN_PROGRESS"), "%s",
                  rushers[i].code);
    struct http_reply orders = http_call(customer, "GET", "/me/orders", NULL);
    cr_assert_eq(json_array_size(json_at(orders.json, "items")), 1);
    expect_laws_hold();
}

Test(rush, coupons_go_to_the_first_whatever_becomes_of_redis)
{
    enum { CLAIMANTS = 60, COUPONS = 20, TIMES = 4 };
    static struct rusher rushers[CLAIMANTS];
    int64_t campaign = given_campaign("FIXED", 1000, COUPONS);
    bool ranks[COUPONS + 1] = {false};

    for (int i = 0; i < CLAIMANTS; i++) {
        rushers[i] = (struct rusher){.client = given_customer(0), .times = TIMES, .body = "{}"};
        snprintf(rushers[i].path, sizeof rushers[i].path, "/coupons/%lld/claims",
                 (long long)campaign);
    }
    rush(rushers, CLAIMANTS / 2);
    stack_empty_redis();
    rush(rushers + CLAIMANTS / 2, CLAIMANTS / 2);
    for (int i = 0; i < CLAIMANTS; i++) {
        const struct rusher *it = &rushers[i];
        struct http_reply own = http_call(it->client, "GET", "/me/coupons", NULL);
        int64_t rank = json_number(own.json, "items.0.rank");
        cr_assert_eq(it->refused[it->served ? 409 : 410], TIMES - it->served, "%s", it->code);
        if (!it->served)
            continue;
        cr_assert(rank >= 1 && rank <= COUPONS && !ranks[rank], "%lld", (long long)rank);
        ranks[rank] = true;
    }
    expect_laws_hold();
}
