// What repeats: coupons expire, stale reservations are given back; disturbed and beside each other.

#include "tests/integration/coupon/booth.h"
#include "tests/support/database.h"

#include "services/coupon/store.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

enum { USER = 7, ORDER = 1001, SAGA = 501 };

static void must_run(struct booth *booth, const char *job)
{
    struct status st = booth_run_job(booth, job);
    cr_assert(!failed(st), "%s: %s %s", job, reason_word(st.reason), st.message ? st.message : "");
}

static struct wish wish(int64_t coupon_id, int64_t order_id)
{
    return (struct wish){USER, coupon_id, order_id, 10000};
}

// A coupon that the order has reserved.
static int64_t given_held(struct booth *booth, int64_t order_id)
{
    int64_t coupon = given_coupon(booth, USER, (struct terms){0});
    reply_of(hold(booth, wish(coupon, order_id)));
    return coupon;
}

Test(expiry, takes_available_coupons_whose_time_is_over)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t old = given_coupon(booth, USER, (struct terms){.valid_days = 7});
    int64_t young = given_coupon(booth, USER, (struct terms){.valid_days = 9});
    int64_t held = given_held(booth, ORDER);
    must_run(booth, "expire_coupons");
    expect_status(booth, old, "AVAILABLE");
    rig_shift_clock(booth->rig, "8 days");
    must_run(booth, "expire_coupons");
    must_run(booth, "expire_coupons");
    expect_history(booth, old, "ISSUED EXPIRED");
    expect_status(booth, old, "EXPIRED");
    expect_status(booth, young, "AVAILABLE");
    expect_status(booth, held, "HELD");
    expect_refused(hold(booth, wish(old, ORDER + 1)), REASON_COUPON_NOT_USABLE);
    // What comes back too late expires then.
    reply_of(release(booth, SAGA, wish(held, ORDER)));
    must_run(booth, "expire_coupons");
    expect_history(booth, held, "ISSUED HELD:1001 RESTORED:1001 EXPIRED");
    booth_close(booth);
}

Test(expiry, works_through_more_than_one_lot)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = 2500});
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = rig_db(booth->rig);
    char sql[512];
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO user_coupon (id, campaign_id, user_id, rank, issued_at, expires_at, status)"
        " SELECT n, %" PRId64 ", n, n, baro_now(), baro_now(), 'AVAILABLE'"
        " FROM generate_series(1, 2500) n;"
        " INSERT INTO user_coupon_history (user_coupon_id, change, at)"
        " SELECT id, 'ISSUED', baro_now() FROM user_coupon;"
        " UPDATE campaign SET claimed = 2500",
        campaign);
    test_script(db, sql);
    must_run(booth, "expire_coupons");
    cr_assert_eq(
        rig_number(booth->rig, "SELECT count(*) FROM user_coupon WHERE status = 'EXPIRED'"), 2500);
    booth_close(booth);
}

Test(expiry, passes_by_a_coupon_that_somebody_works_on)
{
    static const struct statement LOCK = {"test_block", "SELECT id FROM user_coupon FOR UPDATE"};
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t coupon = given_coupon(booth, USER, (struct terms){0});
    rig_shift_clock(booth->rig, "8 days");
    struct db *other = rig_db(booth->rig);
    struct rows rows;
    cr_assert(!failed(db_begin(other)));
    cr_assert(!failed(db_query(other, &LOCK, NO_PARAMS, &rows)));
    must_run(booth, "expire_coupons");
    expect_status(booth, coupon, "AVAILABLE");
    db_rollback(other);
    db_destroy(other);
    must_run(booth, "expire_coupons");
    expect_status(booth, coupon, "EXPIRED");
    booth_close(booth);
}

Test(sweep, leaves_reservations_whose_time_is_not_over)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t coupon = given_held(booth, ORDER);
    rig_shift_clock(booth->rig, "9 minutes");
    must_run(booth, "sweep_holds");
    expect_status(booth, coupon, "HELD");
    booth_close(booth);
}

Test(sweep, gives_back_what_dead_orders_have_and_extends_the_rest)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t dead = given_held(booth, ORDER), alive = given_held(booth, ORDER + 1);
    booth->live[booth->live_count++] = ORDER + 1;
    rig_shift_clock(booth->rig, "11 minutes");
    must_run(booth, "sweep_holds");
    expect_history(booth, dead, "ISSUED HELD:1001 RESTORED:1001");
    expect_status(booth, dead, "AVAILABLE");
    expect_status(booth, alive, "HELD");

    booth->live_count = 0;
    must_run(booth, "sweep_holds");
    expect_status(booth, alive, "HELD");
    rig_shift_clock(booth->rig, "13 minutes");
    must_run(booth, "sweep_holds");
    expect_status(booth, alive, "AVAILABLE");
    booth_close(booth);
}

Test(sweep, gives_nothing_back_while_the_order_service_is_silent)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t coupon = given_held(booth, ORDER);
    booth->is_order_service_down = true;
    rig_shift_clock(booth->rig, "11 minutes");
    cr_assert_eq(booth_run_job(booth, "sweep_holds").code, STATUS_UNAVAILABLE);
    expect_status(booth, coupon, "HELD");
    booth->is_order_service_down = false;
    rig_shift_clock(booth->rig, "13 minutes");
    must_run(booth, "sweep_holds");
    expect_status(booth, coupon, "AVAILABLE");
    booth_close(booth);
}

// The coupon is used after the claim and before the release.
static void pay_order(struct booth *booth)
{
    int64_t coupon = rig_number(booth->rig, "SELECT id FROM user_coupon");
    booth->when_asked = NULL;
    reply_of(redeem(booth, SAGA, wish(coupon, ORDER)));
}

Test(sweep, never_takes_back_what_is_used_meanwhile_and_holds_no_lock_while_it_asks)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t coupon = given_held(booth, ORDER);
    rig_shift_clock(booth->rig, "11 minutes");
    booth->when_asked = pay_order;
    must_run(booth, "sweep_holds");
    expect_history(booth, coupon, "ISSUED HELD:1001 USED:1001");
    booth_close(booth);
}

// Another replica's sweep comes while the first one asks.
static void sweep_beside(struct booth *booth)
{
    booth->when_asked = NULL;
    must_run(booth, "sweep_holds");
    cr_assert_eq(rig_number(booth->rig,
                            "SELECT count(*) FROM user_coupon_history WHERE change = 'RESTORED'"),
                 0, "it is the first sweep's");
}

Test(sweep, gives_each_reservation_back_once_on_two_replicas)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t coupon = given_held(booth, ORDER);
    rig_shift_clock(booth->rig, "11 minutes");
    booth->when_asked = sweep_beside;
    must_run(booth, "sweep_holds");
    expect_history(booth, coupon, "ISSUED HELD:1001 RESTORED:1001");
    booth_close(booth);
}

Test(sweep, works_through_more_than_one_lot)
{
    enum { ORDERS = 250 };
    static struct asked *asked[ORDERS];
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = ORDERS});
    for (int64_t i = 0; i < ORDERS; i++)
        asked[i] = start_claim(booth, as_user(1 + i), campaign);
    for (int64_t i = 0; i < ORDERS; i++) {
        int64_t coupon = coupon_of(rig_await(asked[i]))->id;
        asked[i] = start_hold(booth, (struct wish){1 + i, coupon, ORDER + i, 10000});
    }
    for (size_t i = 0; i < ORDERS; i++)
        reply_of(rig_await(asked[i]));
    rig_shift_clock(booth->rig, "11 minutes");
    must_run(booth, "sweep_holds");
    cr_assert_eq(
        rig_number(booth->rig, "SELECT count(*) FROM user_coupon WHERE status = 'AVAILABLE'"),
        ORDERS);
    booth_close(booth);
}

Test(pruning, forgets_keys_after_a_day_and_steps_after_a_week)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign = given_campaign_of(booth, (struct terms){0});
    int64_t coupon = coupon_of(claim_as(booth, as_user_with_key(USER, "claim-1"), campaign))->id;
    reply_of(redeem(booth, SAGA, wish(coupon, ORDER)));
    must_run(booth, "prune_idempotency");
    must_run(booth, "prune_barrier");
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM idempotency"), 1);
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM barrier"), 1);
    rig_shift_clock(booth->rig, "25 hours");
    must_run(booth, "prune_idempotency");
    must_run(booth, "prune_barrier");
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM idempotency"), 0);
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM barrier"), 1);
    rig_shift_clock(booth->rig, "8 days");
    must_run(booth, "prune_barrier");
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM barrier"), 0);
    booth_close(booth);
}
