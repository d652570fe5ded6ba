// Popular products over HTTP, against two replicas of each service.

#include "lib/base/clock.h"
#include "tests/support/database.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { VISIBLE_MS = 2000, GONE_MS = 5000, COUNTED_MS = 30000 };

static int64_t product_of(int64_t option_id)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT product_id FROM product_option WHERE id = %lld",
             (long long)option_id);
    return test_number(getenv("BARO_PRODUCT_DATABASE_URL"), sql);
}

// The units that the ranking shows of a product: 0 when it is not there.
static int64_t units_shown(struct http_client *customer, int64_t product_id)
{
    struct http_reply reply = http_call(customer, "GET", "/products/popular?limit=100", NULL);
    size_t i;
    json_t *row;
    expect_reply(reply, 200, NULL);
    json_array_foreach (json_at(reply.json, "items"), i, row) {
        cr_assert_eq(json_number(row, "rank"), (int64_t)i + 1);
        if (json_number(row, "product_id") == product_id)
            return json_number(row, "units_sold");
    }
    return 0;
}

static bool await_units(struct http_client *customer, int64_t product_id, int64_t units,
                        int64_t timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    while (units_shown(customer, product_id) != units)
        if (clock_monotonic_us() > until_us)
            return false;
    return true;
}

static struct http_reply change(struct http_client *customer, int64_t order_id, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/%s", (long long)order_id, what);
    http_next_header(customer, "Prefer: wait=10");
    return http_call(customer, "POST", path, "{}");
}

// The law of the buckets: what is counted is what was paid and not given back.
static bool buckets_agree_with_orders(void)
{
    return test_number(getenv("BARO_PRODUCT_DATABASE_URL"),
                       "SELECT coalesce(sum(units * (option_id * 31 + product_id)), 0)::bigint"
                       " FROM sales_hour") ==
           test_number(getenv("BARO_ORDER_DATABASE_URL"),
                       "SELECT coalesce(sum(i.quantity * (i.option_id * 31 + i.product_id)),"
                       "                0)::bigint"
                       " FROM orders o JOIN order_item i ON i.order_id = o.id"
                       " WHERE EXISTS (SELECT FROM payment p WHERE p.order_id = o.id"
                       "               AND p.status = 3)");
}

Test(popular, a_payment_shows_within_two_seconds_and_a_cancelled_one_is_taken_back)
{
    struct http_client *customer = given_customer(100000);
    int64_t option = given_option(1000, 100), product = product_of(option);
    cr_assert_eq(units_shown(customer, product), 0);

    int64_t order = place_order(customer, option, 7, 0);
    expect_reply(change(customer, order, "payment"), 200, NULL);
    cr_assert(await_units(customer, product, 7, VISIBLE_MS), "not readable in time");

    expect_reply(change(customer, order, "cancel"), 200, NULL);
    cr_assert(await_units(customer, product, 0, GONE_MS), "still counted");
    // All tests before this one have sold something, and their events may still be on their way.
    int64_t until_us = clock_monotonic_us() + COUNTED_MS * US_PER_MS;
    while (!buckets_agree_with_orders())
        cr_assert(clock_monotonic_us() < until_us, "buckets differ from orders");
    expect_laws_hold();
    http_close(customer);
}

static size_t place_in_list(const json_t *items, int64_t product_id)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (json_number(json_array_get(items, i), "id") == product_id)
            return i;
    return SIZE_MAX;
}

// Other tests sell too: only the order of these two is known.
Test(popular, the_list_by_popularity_shows_first_what_sold_more)
{
    struct http_client *customer = given_customer(100000);
    int64_t less = given_option(100, 100), more = given_option(100, 100);
    expect_reply(change(customer, place_order(customer, less, 9, 0), "payment"), 200, NULL);
    expect_reply(change(customer, place_order(customer, more, 10, 0), "payment"), 200, NULL);
    cr_assert(await_units(customer, product_of(more), 10, VISIBLE_MS));
    struct http_reply list =
        http_call(customer, "GET", "/products?sort=popular&page_size=100", NULL);
    expect_reply(list, 200, NULL);
    const json_t *items = json_at(list.json, "items");
    cr_expect_lt(place_in_list(items, product_of(more)), place_in_list(items, product_of(less)));
    cr_expect_lt(place_in_list(items, product_of(less)), json_array_size(items));
    http_close(customer);
}

Test(popular, what_makes_no_sense_is_refused)
{
    static const struct {
        const char *path, *field;
    } cases[] = {
        {"/products/popular?days=0",                 "days"    },
        {"/products/popular?days=31",                "days"    },
        {"/products/popular?limit=101",              "limit"   },
        {"/products/popular?from=yesterday",         "from"    },
        {"/products/popular?snapshot=2026-13-01",    "snapshot"},
        {"/products/popular?days=3&from=2026-11-01", "days"    },
    };
    struct http_client *anybody = http_open(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_reply reply = http_call(anybody, "GET", cases[i].path, NULL);
        expect_reply(reply, 400, "VALIDATION_ERROR");
        cr_expect_str_eq(json_word(reply.json, "errors.0.field"), cases[i].field, "%s",
                         cases[i].path);
    }
    struct http_reply none =
        http_call(anybody, "GET", "/products/popular?snapshot=2020-01-01", NULL);
    expect_reply(none, 200, NULL);
    cr_expect_eq(json_array_size(json_at(none.json, "items")), 0);
    http_close(anybody);
}
