// What an operator sees of all processes at once (GET /admin/operations).

#include "lib/base/macros.h"
#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

static struct http_reply operations(struct http_client *admin)
{
    struct http_reply reply = http_call(admin, "GET", "/admin/operations", NULL);
    expect_reply(reply, 200, NULL);
    return reply;
}

static int replicas_of(const json_t *operations, const char *process)
{
    int count = 0;
    size_t i;
    const json_t *replica;
    json_array_foreach (json_at(operations, "replicas"), i, replica)
        count += strcmp(json_word(replica, "process"), process) == 0;
    return count;
}

static bool are_all_seen(const json_t *seen)
{
    static const char *const services[] = {"user", "product", "order", "coupon"};
    for (size_t i = 0; i < COUNT(services); i++)
        if (replicas_of(seen, services[i]) != stack_replicas())
            return false;
    return true;
}

// The gateway needs a moment to find a replica again that a test before has killed.
static const json_t *operations_of_all(struct http_client *admin)
{
    const json_t *seen = operations(admin).json;
    for (int tries = 0; tries < 100 && !are_all_seen(seen); tries++) {
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000000}, NULL);
        seen = operations(admin).json;
    }
    return seen;
}

// The sum over all replicas of what has this name and a label that contains `label`; `weigh` says
// what one metric counts.
static int64_t total(const json_t *operations, const char *name, const char *label,
                     int64_t (*weigh)(const json_t *metric))
{
    int64_t sum = 0;
    size_t i, j;
    const json_t *replica, *metric;
    json_array_foreach (json_at(operations, "replicas"), i, replica)
        json_array_foreach (json_at(replica, "metrics"), j, metric)
            if (strcmp(json_word(metric, "name"), name) == 0 &&
                strstr(json_word(metric, "labels"), label))
                sum += weigh(metric);
    return sum;
}

static int64_t value(const json_t *metric)
{
    return json_number(metric, "value");
}

static int64_t observations(const json_t *metric)
{
    int64_t sum = 0;
    size_t i;
    const json_t *bucket;
    json_array_foreach (json_at(metric, "buckets"), i, bucket)
        sum += json_integer_value(bucket);
    return sum;
}

Test(operations, show_every_replica_and_what_an_order_did_there)
{
    struct http_client *admin = given_admin(), *customer = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(1000, 10), 1, 0);
    expect_reply(pay_order(customer, order_id, 0), 200, NULL);

    const json_t *seen = operations_of_all(admin);
    cr_expect(are_all_seen(seen));
    cr_expect_eq(replicas_of(seen, "gateway"), 1);
    cr_expect_gt(json_number(seen, "duration_bounds_us.0"), 0);
    cr_expect_eq(json_number(seen, "size_bounds.0"), 1);

    cr_expect_gt(total(seen, "baro_order_orders_total", "placed", value), 0);
    cr_expect_gt(total(seen, "baro_saga_ended_total", "COMPLETED", value), 0);
    cr_expect_gt(total(seen, "baro_batch_size", "baro.user.User/DebitWallet", observations), 0);
    cr_expect_geq(
        total(seen, "baro_batch_size", "baro.product.Product/ConfirmStock", value),
        total(seen, "baro_batch_size", "baro.product.Product/ConfirmStock", observations));
    cr_expect_gt(total(seen, "baro_queue_wait_seconds", "PlaceOrder", observations), 0);
    cr_expect_gt(total(seen, "baro_http_request_seconds", "/payment", observations), 0);
    http_close(customer);
    http_close(admin);
    expect_laws_hold();
}

Test(operations, go_on_without_who_does_not_answer)
{
    struct http_client *admin = given_admin();
    stack_stop("coupon", 0);
    const json_t *seen = operations(admin).json;
    int left = replicas_of(seen, "coupon");
    stack_start("coupon", 0);
    cr_expect_eq(left, stack_replicas() - 1);
    cr_expect_eq(replicas_of(seen, "user"), stack_replicas());
    http_close(admin);
    expect_laws_hold();
}

Test(operations, are_for_admins)
{
    struct http_client *customer = given_customer(0);
    expect_reply(http_call(customer, "GET", "/admin/operations", NULL), 403, "FORBIDDEN");
    http_close(customer);
}
