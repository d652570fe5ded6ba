// What the database itself refuses, whatever the code does.

#include "services/order/store.h"
#include "tests/integration/order/life.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name

enum { ALICE = 1 };

static bool refuses(const struct life *here, const char *sql)
{
    SCOPED(db) *db = db_create(here->settings.common.database_url, "schema");
    return failed(db_script(db, sql));
}

Test(order_schema, an_order_has_at_most_one_completed_payment)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 9000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
#define AGAIN(status)                                                                              \
    "INSERT INTO payment (id, order_id, amount, created_at, version, status)"                      \
    " SELECT id + 1, order_id, amount, created_at, 1, " status " FROM payment"
    cr_assert(refuses(here, AGAIN("3")));
    cr_assert(refuses(here, AGAIN("6")));
    cr_assert_not(refuses(here, AGAIN("4")));
#undef AGAIN
    life_end(here);
}

Test(order_schema, orders_and_items_are_never_deleted)
{
    struct life *here = life_begin();
    given_order(here, ALICE);
    cr_assert(refuses(here, "DELETE FROM orders"));
    cr_assert(refuses(here, "DELETE FROM order_item"));
    cr_assert(refuses(here, "TRUNCATE orders"));
    cr_assert_eq(life_number(here, "SELECT count(*) FROM order_item"), 1);
    life_end(here);
}

Test(order_schema, a_status_and_the_time_of_payment_agree)
{
    struct life *here = life_begin();
    given_order(here, ALICE);
    cr_assert(refuses(here, "UPDATE orders SET status = 4"));
    cr_assert(refuses(here, "UPDATE orders SET paid_at = baro_now()"));
    cr_assert(refuses(here, "UPDATE orders SET discount = total_amount + 1, user_coupon_id = 1"));
    cr_assert(refuses(here, "UPDATE orders SET discount = 1"));
    cr_assert(refuses(here, "UPDATE orders SET status = 13"));
    life_end(here);
}

Test(order_schema, rows_go_to_the_partition_of_their_month_and_partitions_are_made_ahead)
{
    struct life *here = life_begin();
    given_order(here, ALICE);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM ONLY orders_default"), 0);
    rig_shift_clock(here->rig, "2 months");
    SCOPED(db) *db = db_create(here->settings.common.database_url, "partitions");
    cr_assert(!failed(store_make_partitions(db)));
    cr_assert(!failed(store_make_partitions(db)));
    cr_assert_eq(life_number(here, "SELECT count(*) FROM pg_inherits"
                                   " WHERE inhparent = 'orders'::regclass"),
                 1 + 5);
    life_end(here);
}

static void *make_partitions(void *db)
{
    static struct status st;
    st = store_make_partitions(db);
    return &st;
}

// Somebody who reads the tables in another order than that in which they are made.
Test(order_schema, partitions_are_made_for_one_table_at_a_time)
{
    struct life *here = life_begin();
    rig_shift_clock(here->rig, "2 months");
    SCOPED(db) *maker = rig_db(here->rig);
    SCOPED(db) *reader = rig_db(here->rig);
    pthread_t thread;
    void *made;
    test_script(reader, "BEGIN; SELECT count(*) FROM payment_history");
    cr_assert_eq(pthread_create(&thread, NULL, make_partitions, maker), 0);
    rig_await_blocked(here->rig, 1);
    test_script(reader, "SELECT count(*) FROM orders; COMMIT");
    pthread_join(thread, &made);
    cr_assert(!failed(*(struct status *)made));
    life_end(here);
}

static void expect_pending(const struct life *here, int64_t count)
{
    cr_assert_eq(life_number(here, "SELECT count(*) FROM order_pending"), count);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM orders o JOIN order_pending p"
                                   " ON p.order_id = o.id AND p.expires_at = o.expires_at"
                                   " WHERE o.status = 1"),
                 count);
}

Test(order_schema, the_set_of_pending_orders_follows_every_change_of_status)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 2000);
    int64_t paid = given_order(here, ALICE), refused = given_order(here, ALICE);
    int64_t cancelled = given_order(here, ALICE);
    given_order(here, ALICE);
    expect_pending(here, 4);
    expect_order(pay(here, as_user(ALICE), paid, 0), STATUS(PAID));
    expect_pending(here, 3);
    expect_refused(pay(here, as_user(ALICE), refused, 0), REASON_INSUFFICIENT_BALANCE);
    expect_pending(here, 3);
    expect_order(cancel(here, as_user(ALICE), cancelled), STATUS(CANCELLED));
    expect_pending(here, 2);
    expect_refused(checkout(here, as_user(ALICE), 0), REASON_INSUFFICIENT_BALANCE);
    expect_pending(here, 2);
    life_pass_time(here, 600001);
    life_expire(here);
    expect_pending(here, 0);
    life_end(here);
}

Test(order_schema, no_index_of_an_order_depends_on_what_changes)
{
    struct life *here = life_begin();
    cr_assert_eq(life_number(here, "SELECT count(*) FROM pg_index i"
                                   " JOIN pg_attribute a ON a.attrelid = i.indrelid"
                                   " WHERE i.indrelid = 'orders'::regclass"
                                   " AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL"
                                   "  OR a.attnum = ANY(i.indkey)"
                                   "   AND a.attname NOT IN ('id', 'user_id', 'created_at'))"),
                 0);
    life_end(here);
}
