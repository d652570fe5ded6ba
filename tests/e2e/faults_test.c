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

static struct http_reply pay_at_once(struct http_client *customer, int64_t order_id)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    http_next_header(customer, "Prefer: respond-async");
    return http_call(customer, "POST", path, "{}");
}

static void kill_all(const char *name)
{
    for (int i = 0; i < stack_replicas(); i++)
        stack_signal(name, i, SIGKILL);
}

static void start_all(const char *name)
{
    for (int i = 0; i < stack_replicas(); i++)
        stack_start(name, i);
}

// Pays while every replica of a participant is gone; the saga must end by itself once they are back.
static void pay_without(const char *participant)
{
    struct http_client *customer = given_customer(50000);
    int64_t option = given_option(20000, 10);
    int64_t order_id = place_order(customer, option, 1, 0);

    kill_all(participant);
    struct http_reply reply = pay_at_once(customer, order_id);
    start_all(participant);
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

    kill_all("user"); // so that the saga is certainly under way
    expect_reply(pay_at_once(customer, order_id), 202, NULL);
    kill_all("order");
    start_all("user");
    start_all("order");
    cr_assert(await_order(customer, order_id, "PAID", 60000), "it is %s",
              order_status(customer, order_id));
    expect_laws_hold();
    http_close(customer);
}

// One customer's loop: place and pay, each request repeated with its key until it has an answer.
struct shopper {
    pthread_t thread;
    int64_t option_id;
    atomic_bool *stop;
    int paid;
    int refused;
    long unexpected;
};

static bool is_final(long status)
{
    return status != 0 && status != 409 && status < 500;
}

static struct http_reply insist(struct http_client *client, const char *path, const char *body)
{
    static atomic_uint next;
    struct http_reply reply = {0};
    char key[64];
    snprintf(key, sizeof key, "insist-%u", atomic_fetch_add(&next, 1));

    for (int tries = 0; tries < 200 && !is_final(reply.status); tries++) {
        if (tries)
            nanosleep(&(struct timespec){.tv_nsec = 50 * 1000000}, NULL);
        http_next_key(client, key);
        http_next_header(client, "Prefer: wait=5");
        reply = http_call(client, "POST", path, "%s", body);
    }
    return reply;
}

static void *shop(void *arg)
{
    struct shopper *shopper = arg;
    struct http_client *customer = given_customer(100000);
    char body[128], path[64];

    while (!atomic_load(shopper->stop)) {
        snprintf(body, sizeof body, "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}]}",
                 (long long)shopper->option_id);
        struct http_reply reply = insist(customer, "/orders", body);
        if (reply.status != 201) {
            shopper->unexpected = reply.status;
            break;
        }
        snprintf(path, sizeof path, "/orders/%lld/payment",
                 (long long)json_number(reply.json, "id"));
        reply = insist(customer, path, "{}");
        if (reply.status == 200 || reply.status == 202)
            shopper->paid++;
        else if (reply.status == 402)
            shopper->refused++;
        else
            shopper->unexpected = reply.status;
    }
    http_close(customer);
    return NULL;
}

static void shop_while_killing(const char *name)
{
    enum { SHOPPERS = 8 };
    struct shopper shoppers[SHOPPERS];
    atomic_bool stop = false;
    int64_t option = given_option(100, 100000);
    int paid = 0;

    for (int i = 0; i < SHOPPERS; i++) {
        shoppers[i] = (struct shopper){.option_id = option, .stop = &stop};
        pthread_create(&shoppers[i].thread, NULL, shop, &shoppers[i]);
    }
    for (int i = 0; i < 4; i++) {
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        stack_signal(name, i % stack_replicas(), SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000000}, NULL);
        stack_start(name, i % stack_replicas());
    }
    atomic_store(&stop, true);
    for (int i = 0; i < SHOPPERS; i++) {
        pthread_join(shoppers[i].thread, NULL);
        cr_assert_eq(shoppers[i].unexpected, 0, "a request ended with %ld", shoppers[i].unexpected);
        paid += shoppers[i].paid;
    }
    cr_assert_gt(paid, 20, "only %d orders were paid", paid);
    expect_laws_hold();
}

Test(faults, killing_a_user_replica_fails_no_journey_that_is_retried)
{
    shop_while_killing("user");
}

Test(faults, killing_a_product_replica_fails_no_journey_that_is_retried)
{
    shop_while_killing("product");
}

Test(faults, killing_an_order_replica_fails_no_journey_that_is_retried)
{
    shop_while_killing("order");
}
