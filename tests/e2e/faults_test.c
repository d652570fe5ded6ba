// Processes die in the middle of payments; whatever happens, each order ends as one thing and the
// laws hold. Runs against two replicas of each service; what a test kills it starts again.

#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// Pays while every replica of a participant is gone; the saga must end by itself once they are back.
static void pay_without(const char *participant)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 10);
    int64_t order_id = place_order(customer, option, 1, 0);

    stack_kill_all(participant);
    struct http_reply reply = begin_payment(customer, order_id);
    stack_start_all(participant);
    expect_reply(reply, 202, NULL);
    cr_assert(await_order(customer, order_id, "PAID", 60000), "it is %s",
              order_status(customer, order_id));
    cr_assert_eq(balance_of(customer), 30000);
    expect_laws_hold();
    http_close(customer);
}

Test(faults, a_saga_ends_after_the_user_service_is_back)
{
    pay_without("user");
}

Test(faults, a_saga_ends_after_the_product_service_is_back)
{
    pay_without("product");
}

Test(faults, another_start_takes_over_the_sagas_of_a_killed_order_service)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 10);
    int64_t order_id = place_order(customer, option, 1, 0);

    stack_kill_all("user"); // so that the saga is certainly under way
    expect_reply(begin_payment(customer, order_id), 202, NULL);
    stack_kill_all("order");
    stack_start_all("user");
    stack_start_all("order");
    cr_assert(await_order(customer, order_id, "PAID", 60000), "it is %s",
              order_status(customer, order_id));
    expect_laws_hold();
    http_close(customer);
}

static size_t changes_of(struct http_client *customer, int64_t order_id)
{
    return json_array_size(json_at(get_order(customer, order_id).json, "timeline"));
}

// The schedulers need no Redis, and no particular replica.
Test(faults, unpaid_orders_expire_once_while_redis_is_gone_and_replicas_die)
{
    enum { UNPAID = 30 };
    struct http_client *customer = given_customer(0);
    int64_t option = given_option(1000, UNPAID), ids[UNPAID];
    int64_t coupon = claim(customer, given_campaign("FIXED", 100, 1));

    for (int i = 0; i < UNPAID; i++)
        ids[i] = place_order(customer, option, 1, i ? 0 : coupon);
    stack_stop_redis();
    for (int i = 0; i < UNPAID; i++)
        end_time_to_pay(ids[i]);
    for (int i = 0; i < UNPAID; i++) {
        if (i % 10 == 0)
            stack_signal("order", i / 10 % stack_replicas(), SIGKILL);
        cr_expect(await_order(customer, ids[i], "EXPIRED", 60000), "it is %s",
                  order_status(customer, ids[i]));
        if (i % 10 == 0)
            stack_start("order", i / 10 % stack_replicas());
    }
    for (int i = 0; i < UNPAID; i++)
        cr_expect_eq(changes_of(customer, ids[i]), 2, "PENDING and EXPIRED");
    expect_laws_hold();
    cr_expect_eq(available_stock(option), UNPAID);
    cr_expect_str_eq(coupon_status(customer, coupon), "AVAILABLE");
    stack_start_redis();
    http_close(customer);
}

enum { ORDERS_MAX = 1000 };

// One customer's loop: place and pay, each request repeated with its key until it has an answer.
struct shopper {
    pthread_t thread;
    int64_t option_id;
    atomic_bool *stop;
    atomic_int *paid_by_all;
    bool takes_no;            // a payment may be given back: only what was answered as paid counts
    int64_t paid[ORDERS_MAX]; // those that were answered as paid, or soon to be
    int paid_count;
    long unexpected;
};

// SYSTEM_FAILURE: recovery has decided, and gave back what had been taken.
static bool was_given_back(struct http_reply reply)
{
    return strcmp(json_word(reply.json, "code"), "SYSTEM_FAILURE") == 0;
}

static bool is_final(struct http_reply reply)
{
    return reply.status != 0 && reply.status != 409 &&
           (reply.status < 500 || was_given_back(reply));
}

static struct http_reply insist(struct http_client *client, const char *path, const char *body)
{
    static atomic_uint next;
    struct http_reply reply = {0};
    char key[64];
    snprintf(key, sizeof key, "insist-%u", atomic_fetch_add(&next, 1));

    for (int tries = 0; tries < 1200 && !is_final(reply); tries++) {
        if (tries)
            nanosleep(&(struct timespec){.tv_nsec = 50 * 1000000}, NULL);
        http_next_key(client, key);
        http_next_header(client, "Prefer: wait=5");
        reply = http_call(client, "POST", path, "%s", body);
    }
    return reply;
}

// What was acknowledged must be there.
static void check_paid(struct shopper *shopper, struct http_client *customer)
{
    for (int i = 0; i < shopper->paid_count; i++)
        if (!await_order(customer, shopper->paid[i], "PAID", 60000))
            shopper->unexpected = -1;
}

static bool buy(struct shopper *shopper, struct http_client *customer)
{
    char body[128], path[64];
    snprintf(body, sizeof body, "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}]}",
             (long long)shopper->option_id);
    struct http_reply reply = insist(customer, "/orders", body);
    if (reply.status != 201) {
        shopper->unexpected = reply.status;
        return false;
    }
    int64_t order_id = json_number(reply.json, "id");
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    reply = insist(customer, path, "{}");
    bool decided = !shopper->takes_no || (reply.status != 202 && !was_given_back(reply));
    if (!decided)
        return true;
    if (reply.status == 200 || reply.status == 202) {
        shopper->paid[shopper->paid_count++] = order_id;
        atomic_fetch_add(shopper->paid_by_all, 1);
    } else {
        shopper->unexpected = reply.status;
    }
    return shopper->unexpected == 0 && shopper->paid_count < ORDERS_MAX;
}

static void *shop(void *arg)
{
    struct shopper *shopper = arg;
    struct http_client *customer = given_customer(200000);

    while (!atomic_load(shopper->stop) && buy(shopper, customer))
        ;
    check_paid(shopper, customer);
    http_close(customer);
    return NULL;
}

// Until so many more orders are paid.
static void await_paid(atomic_int *paid, int more)
{
    enum { PATIENCE_MS = 60000, LOOK_MS = 5 };
    int wanted = atomic_load(paid) + more;
    for (int tries = 0; atomic_load(paid) < wanted; tries++) {
        cr_assert_lt(tries, PATIENCE_MS / LOOK_MS, "nobody can pay");
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
}

// It is away for longer than a payment may be silent, when the machine is slow.
static void crash_the_database(const char *name, int turn, atomic_int *paid)
{
    (void)name, (void)turn, (void)paid;
    stack_crash_database();
}

// Customers shop while `strike` does something bad, four times.
static void shop_during(void (*strike)(const char *name, int turn, atomic_int *paid),
                        const char *name)
{
    enum { SHOPPERS = 8, TURNS = 4, BETWEEN = 100 };
    static struct shopper shoppers[SHOPPERS];
    atomic_bool stop = false;
    atomic_int paid = 0;
    int64_t option = given_option(100, 100000);

    for (int i = 0; i < SHOPPERS; i++) {
        shoppers[i] = (struct shopper){.option_id = option,
                                       .stop = &stop,
                                       .paid_by_all = &paid,
                                       .takes_no = strike == crash_the_database};
        pthread_create(&shoppers[i].thread, NULL, shop, &shoppers[i]);
    }
    for (int turn = 0; turn < TURNS; turn++) {
        await_paid(&paid, BETWEEN);
        strike(name, turn, &paid);
    }
    await_paid(&paid, BETWEEN);
    atomic_store(&stop, true);
    for (int i = 0; i < SHOPPERS; i++) {
        pthread_join(shoppers[i].thread, NULL);
        cr_assert_eq(shoppers[i].unexpected, 0, "a request ended with %ld", shoppers[i].unexpected);
    }
    expect_laws_hold();
}

// Its calls find the other one.
static void kill_a_replica(const char *name, int turn, atomic_int *paid)
{
    int replica = turn % stack_replicas();
    stack_signal(name, replica, SIGKILL);
    await_paid(paid, 10);
    stack_start(name, replica);
}

Test(faults, killing_postgresql_loses_nothing_that_was_acknowledged)
{
    shop_during(crash_the_database, NULL);
}

Test(faults, killing_a_user_replica_fails_no_journey_that_is_retried)
{
    shop_during(kill_a_replica, "user");
}

Test(faults, killing_a_product_replica_fails_no_journey_that_is_retried)
{
    shop_during(kill_a_replica, "product");
}

Test(faults, killing_an_order_replica_fails_no_journey_that_is_retried)
{
    shop_during(kill_a_replica, "order");
}
