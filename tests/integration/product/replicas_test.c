// Three replicas at one job, and one of them is killed in the middle of it: each hold is released and
// each midnight stored once all the same, without any lock between the replicas.

#include "tests/integration/product/depot.h"
#include "tests/support/database.h"
#include "tests/support/no_orders.h"
#include "tests/support/replicas.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

enum { REPLICAS = 3, ORDERS = 500, STOCK = 1000 };

// What the test and its replicas share.
struct common {
    char url[512];
    char job[32];
    struct no_orders orders;
};

static struct replica open_replica(size_t index, void *shared)
{
    static struct product_service service;
    static struct job jobs[PRODUCT_JOB_COUNT];
    struct common *common = shared;
    (void)index;
    service.orders = no_orders_of(&common->orders);
    product_jobs_init(&(struct product_settings){.sweep_period_ms = 1}, jobs);
    return (struct replica){common->url, &service, jobs, COUNT(jobs), common->job};
}

static struct replicas *given_replicas(void)
{
    return replicas_fork(REPLICAS, open_replica, sizeof(struct common));
}

static struct common *start(struct replicas *replicas, struct depot *depot, const char *job)
{
    struct common *common = replicas_shared(replicas);
    snprintf(common->url, sizeof(common->url), "%s", depot->rig->url);
    snprintf(common->job, sizeof(common->job), "%s", job);
    replicas_go(replicas);
    return common;
}

// One unit held by each of many orders, eleven minutes ago.
static int64_t given_expired_holds(struct depot *depot)
{
    static struct asked *asked[ORDERS];
    struct line line = {given_stock(depot, STOCK), 1};
    for (int64_t i = 0; i < ORDERS; i++)
        asked[i] = start_hold(depot, 1 + i, &line, 1);
    for (size_t i = 0; i < ORDERS; i++)
        reply_of(rig_await(asked[i]));
    rig_shift_clock(depot->rig, "11 minutes");
    return line.option_id;
}

static void await_held(struct replicas *replicas, struct depot *depot, int64_t option_id,
                       int64_t wanted)
{
    for (int round = 0; held_of(depot, option_id) != wanted; round++) {
        cr_assert_lt(round, 200, "%" PRId64 " are held", held_of(depot, option_id));
        replicas_await_round(replicas);
    }
}

// depot_close looks whether held and total follow from holds and movements, and nothing came twice.
static void expect_all_released(struct depot *depot, int64_t option_id)
{
    cr_assert_eq(rig_number(depot->rig, "SELECT count(*) FROM hold WHERE status = 'RELEASED'"),
                 ORDERS);
    cr_assert_eq(total_of(depot, option_id), STOCK);
    depot_close(depot);
}

Test(replicas, release_each_hold_once_though_one_is_killed_while_it_asks)
{
    struct replicas *replicas = given_replicas();
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_expired_holds(depot);
    struct common *common = replicas_shared(replicas);
    atomic_store(&common->orders.thinks, true);
    start(replicas, depot, "sweep_holds");
    no_orders_await(&common->orders, REPLICAS); // 200, 200 and 100 holds
    cr_assert_eq(held_of(depot, option), ORDERS);
    replicas_kill(replicas, 0);
    atomic_store(&common->orders.thinks, false);
    for (int round = 0; round < 3; round++)
        replicas_await_round(replicas);
    cr_assert_gt(held_of(depot, option), 0, "until the claim of the dead one runs out");
    rig_shift_clock(depot->rig, "13 minutes");
    await_held(replicas, depot, option, 0);
    replicas_end(replicas);
    expect_all_released(depot, option);
}

Test(replicas, release_each_hold_once_though_one_is_killed_at_it)
{
    struct replicas *replicas = given_replicas();
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_expired_holds(depot);
    struct common *common = replicas_shared(replicas);
    atomic_store(&common->orders.thinks, true);
    start(replicas, depot, "sweep_holds");
    no_orders_await(&common->orders, REPLICAS);
    struct gate *gate = gate_close(depot->rig->url, "product_option", "UPDATE");
    atomic_store(&common->orders.thinks, false);
    gate_await(gate, REPLICAS); // one in its transaction, two behind it
    replicas_kill(replicas, 0);
    replicas_kill(replicas, 1);
    gate_open(gate);
    rig_shift_clock(depot->rig, "13 minutes"); // what they had claimed
    await_held(replicas, depot, option, 0);
    replicas_end(replicas);
    expect_all_released(depot, option);
}

static void given_sales(struct depot *depot)
{
    int64_t option = given_stock(depot, STOCK);
    SCOPED(db) *db = rig_db(depot->rig);
    char sql[512];
    snprintf(sql, sizeof(sql),
             "INSERT INTO sales_hour (hour, product_id, option_id, units, last_paid_at)"
             " SELECT date_trunc('day', baro_now()) - interval '3 hours', product_id, id, 5,"
             "        date_trunc('day', baro_now()) - interval '150 minutes'"
             " FROM product_option WHERE id = %" PRId64,
             option);
    test_script(db, sql);
}

static void snapshot_with_a_death(bool cut)
{
    struct replicas *replicas = given_replicas();
    struct depot *depot = depot_open((struct rig_size){1, 0});
    SCOPED(db) *db = rig_db(depot->rig);
    test_script(db, "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE"
                    " AS $$SELECT timestamptz '2026-11-21T00:00:07Z'$$");
    given_sales(depot);
    struct gate *gate = gate_close(depot->rig->url, "popular_snapshot_row", "INSERT");
    start(replicas, depot, "popular_snapshot");
    gate_await(gate, REPLICAS); // one at it, two that wait whether it succeeds
    for (size_t i = 0; i < (cut ? REPLICAS : 1); i++)
        replicas_kill(replicas, i);
    if (cut)
        gate_cut(gate);
    gate_open(gate);
    if (cut) {
        SCOPED(arena) *arena = arena_create();
        cr_assert_eq(rig_number(depot->rig, "SELECT count(*) FROM popular_snapshot"), 0);
        cr_assert(!failed(take_popular_snapshot(&depot->service, db, arena)));
    } else {
        replicas_await_round(replicas);
        replicas_await_round(replicas);
    }
    replicas_end(replicas);
    cr_assert_eq(rig_number(depot->rig, "SELECT count(*) FROM popular_snapshot"), 1);
    cr_assert_eq(rig_number(depot->rig, "SELECT count(*) FROM popular_snapshot_row"), 1);
    depot_close(depot);
}

Test(replicas, store_one_snapshot_of_midnight_though_one_is_killed_at_it)
{
    snapshot_with_a_death(false);
}

Test(replicas, that_die_storing_a_snapshot_with_their_machines_leave_it_to_who_comes)
{
    snapshot_with_a_death(true);
}

// What is old, and what is young by a little, in each of the tables that forget.
static void given_old_and_young(struct db *db)
{
    test_script(db, "INSERT INTO hold_given_back (order_id, given_back_at)"
                    " SELECT n, baro_now() - interval '1 day'"
                    "   + CASE WHEN n <= 10 THEN interval '1 hour' ELSE interval '-1 hour' END"
                    " FROM generate_series(1, 20010) n;"
                    "INSERT INTO barrier (saga_id, step, op, code, reason, created_at)"
                    " SELECT n, 'confirm_stock', 0, 0, '', baro_now() - interval '7 days'"
                    "   + CASE WHEN n <= 10 THEN interval '1 hour' ELSE interval '-1 hour' END"
                    " FROM generate_series(1, 20010) n;"
                    "INSERT INTO sales_hour (hour, product_id, option_id, units, last_paid_at)"
                    " SELECT date_trunc('hour', baro_now() - interval '60 days', 'UTC')"
                    "   + CASE WHEN n <= 10 THEN interval '2 hours' ELSE interval '-2 hours' END,"
                    "   1, n, 1, baro_now() FROM generate_series(1, 20010) n");
}

// Several that forget the same rows are not in each other's way, and who dies at it leaves its rows to
// the others.
static void forget_with_a_death(const char *job, const char *table)
{
    enum { YOUNG = 10 };
    char count[64];
    struct replicas *replicas = given_replicas();
    struct depot *depot = depot_open((struct rig_size){1, 0});
    SCOPED(db) *db = rig_db(depot->rig);
    given_old_and_young(db);
    struct gate *gate = gate_close(depot->rig->url, table, "DELETE");
    start(replicas, depot, job);
    gate_await(gate, REPLICAS); // one at its first row, others there or behind it
    replicas_kill(replicas, 0);
    gate_open(gate);
    snprintf(count, sizeof(count), "SELECT count(*) FROM %s", table);
    for (int round = 0; rig_number(depot->rig, count) > YOUNG; round++) {
        cr_assert_lt(round, 200, "%" PRId64 " are left", rig_number(depot->rig, count));
        replicas_await_round(replicas);
    }
    replicas_await_round(replicas);
    cr_assert_eq(rig_number(depot->rig, count), YOUNG);
    replicas_end(replicas);
    test_script(db, "DELETE FROM barrier");
    depot_close(depot);
}

Test(replicas, forget_early_give_backs_side_by_side_though_one_is_killed_at_it)
{
    forget_with_a_death("prune_given_back", "hold_given_back");
}

Test(replicas, forget_steps_of_sagas_side_by_side_though_one_is_killed_at_it)
{
    forget_with_a_death("prune_barrier", "barrier");
}

Test(replicas, forget_sales_side_by_side_though_one_is_killed_at_it)
{
    forget_with_a_death("prune_sales", "sales_hour");
}
