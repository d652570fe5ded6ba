// Three replicas at one job, and one of them is killed in the middle of it: each coupon is handled
// once all the same, without any lock between the replicas.

#include "tests/integration/coupon/booth.h"
#include "tests/support/database.h"
#include "tests/support/no_orders.h"
#include "tests/support/replicas.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

enum { REPLICAS = 3, USER = 7, ORDER = 1001, COUPONS = 2500 };

// What the test and its replicas share.
struct common {
    char url[512];
    char job[32];
    struct no_orders orders;
};

static struct replica open_replica(size_t index, void *shared)
{
    static const struct coupon_settings settings = {.sweep_period_ms = 1000};
    static struct coupon_service service;
    static struct job jobs[COUPON_JOB_COUNT];
    struct common *common = shared;
    (void)index;
    service.orders = no_orders_of(&common->orders);
    coupon_jobs_init(&settings, jobs);
    return (struct replica){common->url, &service, jobs, COUNT(jobs), common->job};
}

static struct replicas *given_replicas(void)
{
    return replicas_fork(REPLICAS, open_replica, sizeof(struct common));
}

static struct common *start(struct replicas *replicas, struct booth *booth, const char *job)
{
    struct common *shared = replicas_shared(replicas);
    snprintf(shared->url, sizeof(shared->url), "%s", booth->rig->url);
    snprintf(shared->job, sizeof(shared->job), "%s", job);
    replicas_go(replicas);
    return shared;
}

// Coupons of as many users, each ISSUED, and HELD by an order of its own when `held`.
static void given_coupons(struct booth *booth, bool held)
{
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = COUPONS});
    SCOPED(db) *db = rig_db(booth->rig);
    char sql[1024];
    snprintf(sql, sizeof(sql),
             "INSERT INTO user_coupon (id, campaign_id, user_id, rank, issued_at, expires_at,"
             "                         status, order_id, held_until)"
             " SELECT n, %" PRId64
             ", n, n, baro_now(), baro_now() + interval '7 days', '%s', %s, %s"
             " FROM generate_series(1, %d) n;"
             " INSERT INTO user_coupon_history (user_coupon_id, change, order_id, at)"
             " SELECT id, c, CASE c WHEN 'HELD' THEN order_id END, baro_now()"
             " FROM user_coupon, unnest('{ISSUED%s}'::text[]) c;"
             " UPDATE campaign SET claimed = %d",
             campaign, held ? "HELD" : "AVAILABLE", held ? "n" : "NULL",
             held ? "baro_now() + interval '10 minutes'" : "NULL", COUPONS, held ? ",HELD" : "",
             COUPONS);
    test_script(db, sql);
}

static int64_t with_status(struct booth *booth, const char *status)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM user_coupon WHERE status = '%s'", status);
    return rig_number(booth->rig, sql);
}

// Every coupon has this change once.
static void expect_each_once(struct booth *booth, const char *change)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM user_coupon u WHERE (SELECT count(*) FROM user_coupon_history h"
             " WHERE h.user_coupon_id = u.id AND h.change = '%s') <> 1",
             change);
    cr_assert_eq(rig_number(booth->rig, sql), 0);
}

static void await_status_of_all(struct replicas *replicas, struct booth *booth, const char *status)
{
    for (int round = 0; with_status(booth, status) < COUPONS; round++) {
        cr_assert_lt(round, 200, "%" PRId64 " of %d are %s", with_status(booth, status), COUPONS,
                     status);
        replicas_await_round(replicas);
    }
}

// `cut`: the killed one's machine is lost as well, and with it what it had sent.
static void expire_with_a_death(bool cut)
{
    struct replicas *replicas = given_replicas();
    struct booth *booth = booth_open((struct rig_size){0});
    given_coupons(booth, false);
    rig_shift_clock(booth->rig, "8 days");
    struct gate *gate = gate_close(booth->rig->url, "user_coupon_history", "INSERT");
    start(replicas, booth, "expire_coupons");
    gate_await(gate, REPLICAS); // 1,000, 1,000 and 500 coupons
    cr_assert_eq(with_status(booth, "AVAILABLE"), COUPONS);
    replicas_kill(replicas, 0);
    if (cut) {
        replicas_kill(replicas, 1);
        replicas_kill(replicas, 2);
        gate_cut(gate);
    }
    gate_open(gate);
    if (cut) {
        cr_assert_eq(with_status(booth, "AVAILABLE"), COUPONS);
        cr_assert(!failed(booth_run_job(booth, "expire_coupons")));
    } else {
        await_status_of_all(replicas, booth, "EXPIRED");
    }
    replicas_end(replicas);
    cr_assert_eq(with_status(booth, "EXPIRED"), COUPONS);
    expect_each_once(booth, "EXPIRED");
    booth_close(booth);
}

Test(replicas, expire_each_coupon_once_though_one_is_killed_at_it)
{
    expire_with_a_death(false);
}

Test(replicas, that_die_expiring_coupons_with_their_machines_leave_them_to_who_comes)
{
    expire_with_a_death(true);
}

Test(replicas, give_each_reservation_back_once_though_one_is_killed_while_it_asks)
{
    struct replicas *replicas = given_replicas();
    struct booth *booth = booth_open((struct rig_size){0});
    given_coupons(booth, true);
    rig_shift_clock(booth->rig, "11 minutes");
    struct common *shared = replicas_shared(replicas);
    atomic_store(&shared->orders.thinks, true);
    start(replicas, booth, "sweep_holds");
    no_orders_await(&shared->orders, REPLICAS);
    replicas_kill(replicas, 1); // with 200 coupons that it has claimed
    atomic_store(&shared->orders.thinks, false);
    for (int round = 0; round < 3; round++)
        replicas_await_round(replicas);
    cr_assert_eq(with_status(booth, "HELD"), 200, "until the claim of the dead one runs out");
    rig_shift_clock(booth->rig, "13 minutes");
    await_status_of_all(replicas, booth, "AVAILABLE");
    replicas_end(replicas);
    expect_each_once(booth, "RESTORED");
    booth_close(booth);
}

Test(replicas, give_each_reservation_back_once_though_one_is_killed_at_it)
{
    struct replicas *replicas = given_replicas();
    struct booth *booth = booth_open((struct rig_size){0});
    given_coupons(booth, true);
    rig_shift_clock(booth->rig, "11 minutes");
    struct gate *gate = gate_close(booth->rig->url, "user_coupon_history", "INSERT");
    start(replicas, booth, "sweep_holds");
    gate_await(gate, REPLICAS);
    replicas_kill(replicas, 2);
    gate_open(gate);
    await_status_of_all(replicas, booth, "AVAILABLE");
    replicas_end(replicas);
    expect_each_once(booth, "RESTORED");
    booth_close(booth);
}

// Two that forget the same rows must not get into each other's way.
Test(replicas, forget_side_by_side_what_nobody_may_ask_for_any_more)
{
    enum { YOUNG = 10 };
    struct replicas *replicas = given_replicas();
    struct booth *booth = booth_open((struct rig_size){0});
    SCOPED(db) *db = rig_db(booth->rig);
    test_script(db, "INSERT INTO idempotency (id, request_hash, code, reason, created_at)"
                    " SELECT decode(md5(n::text), 'hex'), decode(md5(''), 'hex'), 0, '', baro_now()"
                    "   - CASE WHEN n <= 10 THEN interval '23 hours' ELSE interval '25 hours' END"
                    " FROM generate_series(1, 30010) n");
    start(replicas, booth, "prune_idempotency");
    while (rig_number(booth->rig, "SELECT count(*) FROM idempotency") > YOUNG)
        replicas_await_round(replicas);
    replicas_await_round(replicas);
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM idempotency"), YOUNG);
    replicas_end(replicas);
    booth_close(booth);
}
