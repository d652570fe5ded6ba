// A loaded shop is one that the services could have left: lawful, in every state, told to nobody.

#include "lib/base/macros.h"
#include "tests/integration/baroctl/office.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#define LOAD "load-demo --orders 3000 --users 200 --products 60 --json"

static void expect_number(const char *service, int64_t number, const char *sql)
{
    int64_t found = office_number(service, sql);
    cr_expect_eq(found, number, "%s: %" PRId64 ", not %" PRId64, sql, found, number);
}

// The sum that tells buckets from each other as well.
static int64_t units_in_orders(void)
{
    return office_number("order",
                         "SELECT coalesce(sum(i.quantity * (i.option_id * 31 + i.product_id)),"
                         "                0)::bigint FROM order_item i"
                         " WHERE EXISTS (SELECT FROM payment p WHERE p.order_id = i.order_id"
                         "               AND p.status = 3)");
}

static int64_t units_in_buckets(void)
{
    return office_number("product",
                         "SELECT coalesce(sum(units * (option_id * 31 + product_id)), 0)::bigint"
                         " FROM sales_hour");
}

static void expect_lawful(void)
{
    cr_expect_eq(office_baroctl("audit --wait 0s"), EXIT_DONE);
    cr_expect_eq(units_in_buckets(), units_in_orders());
    cr_expect_gt(units_in_orders(), 0);
}

Test(load_demo, a_loaded_shop_keeps_every_law_and_so_do_two_of_them)
{
    office_open();
    cr_assert_eq(office_baroctl(LOAD), EXIT_DONE);
    expect_lawful();
    cr_assert_eq(office_baroctl(LOAD " --seed 2"), EXIT_DONE);
    expect_lawful();
    expect_number("order", 6000, "SELECT count(*) FROM orders");
    expect_number("user", 400, "SELECT count(*) FROM account");
    expect_number("product", 120, "SELECT count(*) FROM product");
}

Test(load_demo, orders_have_every_state_that_lasts_and_sagas_and_coupons_too)
{
    office_open();
    cr_assert_eq(office_baroctl(LOAD), EXIT_DONE);
    // All but PAYING, which lasts milliseconds.
    expect_number("order", 11, "SELECT count(DISTINCT status) FROM orders WHERE status <> 2");
    expect_number("order", 2, "SELECT count(*) FROM saga WHERE state < 2 AND parked");
    expect_number("order", 0, "SELECT count(*) FROM saga WHERE state < 2 AND NOT parked");
    expect_number("order", 6, "SELECT count(DISTINCT (kind, state)) FROM saga");
    expect_number("order", 0, "SELECT count(*) FROM saga WHERE timeline IS NULL");
    expect_number("order", 4, "SELECT count(DISTINCT status) FROM payment WHERE status <> 1");
    expect_number("product", 4, "SELECT count(DISTINCT status) FROM hold");
    expect_number("product", 4, "SELECT count(DISTINCT kind) FROM stock_movement");
    expect_number("coupon", 4, "SELECT count(DISTINCT status) FROM user_coupon");
}

Test(load_demo, histories_tell_the_same_as_what_they_are_the_history_of)
{
    office_open();
    cr_assert_eq(office_baroctl(LOAD), EXIT_DONE);
    static const struct {
        const char *service, *wrong;
    } checks[] = {
        {"order",  "SELECT count(*) FROM orders o WHERE (version, status) IS DISTINCT FROM"
                  " (SELECT (h.version, h.status) FROM order_history h WHERE h.order_id = o.id"
                  "  ORDER BY h.version DESC LIMIT 1)"                                       },
        {"order",  "SELECT count(*) FROM order_history h JOIN order_history n"
                  " ON n.order_id = h.order_id AND n.version = h.version + 1 AND n.at < h.at"},
        {"order",  "SELECT count(*) FROM payment p WHERE (version, status) IS DISTINCT FROM"
                  " (SELECT (h.version, h.to_status) FROM payment_history h"
                  "  WHERE h.order_id = p.order_id AND h.payment_id = p.id"
                  "  ORDER BY h.version DESC LIMIT 1)"                                       },
        {"order",  "SELECT count(*) FROM order_pending p FULL JOIN (SELECT * FROM orders"
                  " WHERE status = 1) o ON o.id = p.order_id"
                  " WHERE p.order_id IS NULL OR o.id IS NULL"                                },
        {"order",  "SELECT count(*) FROM orders_default"                                                      },
        {"order",  "SELECT count(*) FROM orders WHERE created_at > baro_now()"                                },
        {"user",   "SELECT count(*) FROM wallet_history h JOIN wallet_history n"
                 " ON n.user_id = h.user_id AND n.number = h.number + 1"
                 " AND (n.before <> h.after OR n.created_at < h.created_at)"                  },
        {"user",   "SELECT count(*) FROM wallet_history_default"                                              },
        {"coupon", "SELECT count(*) FROM user_coupon c WHERE c.status <> 'AVAILABLE' AND"
                   " c.status IS DISTINCT FROM (SELECT h.change FROM user_coupon_history h"
                   "  WHERE h.user_coupon_id = c.id ORDER BY h.ctid DESC LIMIT 1)"          },
        {"coupon", "SELECT count(*) FROM user_coupon a JOIN user_coupon b"
                   " ON b.campaign_id = a.campaign_id AND b.rank = a.rank + 1"
                   " AND b.issued_at < a.issued_at"                                         },
        {"coupon", "SELECT count(*) FROM campaign c WHERE claimed <> (SELECT count(*)"
                   " FROM user_coupon u WHERE u.campaign_id = c.id)"                        },
    };
    for (size_t i = 0; i < COUNT(checks); i++)
        expect_number(checks[i].service, 0, checks[i].wrong);
}

Test(load_demo, nobody_outside_is_told_of_a_past_that_never_was)
{
    office_open();
    cr_assert_eq(office_baroctl(LOAD), EXIT_DONE);
    static const char *const services[] = {"user", "product", "order", "coupon"};
    for (size_t i = 0; i < COUNT(services); i++)
        expect_number(services[i], 0, "SELECT count(*) FROM outbox");
}

Test(load_demo, the_same_seed_gives_the_same_past)
{
    int64_t sums[2];
    for (size_t i = 0; i < COUNT(sums); i++) {
        office_open();
        cr_assert_eq(office_baroctl("load-demo --orders 500 --users 30 --products 20 --seed 7"),
                     EXIT_DONE);
        sums[i] = office_number("order", "SELECT sum(total_amount * status)::bigint FROM orders");
    }
    cr_expect_eq(sums[0], sums[1]);
}

Test(load_demo, the_smallest_shops_are_lawful_too)
{
    static const char *const lines[] = {
        "load-demo --orders 1 --users 1 --products 1",
        "load-demo --orders 300 --users 1 --products 1",
        "load-demo --orders 25 --users 3 --products 2",
    };
    office_open();
    for (size_t i = 0; i < COUNT(lines); i++) {
        cr_expect_eq(office_baroctl(lines[i]), EXIT_DONE, "%s", lines[i]);
        cr_expect_eq(office_baroctl("audit --wait 0s"), EXIT_DONE, "%s", lines[i]);
    }
}

Test(load_demo, a_load_that_fails_in_one_database_leaves_nothing_in_any)
{
    office_open();
    office_run("product", "ALTER TABLE hold ADD CHECK (status <> 'RETURNED')");
    cr_expect_eq(office_baroctl(LOAD), EXIT_WRONG);
    expect_number("order", 0, "SELECT count(*) FROM orders");
    expect_number("user", 0, "SELECT count(*) FROM account");
    expect_number("coupon", 0, "SELECT count(*) FROM campaign");
    expect_number("product", 0, "SELECT count(*) FROM product");
}
