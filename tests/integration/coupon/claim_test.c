// First come, first served, on a real database: races, batches, repeats. booth_close() asserts law 3
// after each.

#include "lib/base/clock.h"
#include "tests/integration/coupon/booth.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

enum { USER = 7 };

// Locks a campaign from outside; what comes meanwhile waits behind its first claim.
static struct db *block(struct booth *booth, int64_t campaign)
{
    static const struct statement LOCK = {
        "test_block", "SELECT id FROM campaign WHERE id = $1::bigint FOR UPDATE"};
    struct db *db = rig_db(booth->rig);
    struct rows rows;
    cr_assert(!failed(db_begin(db)));
    cr_assert(!failed(db_query(db, &LOCK, PARAMS(p_int64(campaign)), &rows)));
    return db;
}

Test(claim, of_a_thousand_users_for_a_hundred_coupons_gives_ranks_without_gaps)
{
    enum { USERS = 1000, COUPONS = 100 };
    static struct asked *asked[USERS];
    bool given[COUPONS + 1] = {false};
    size_t sold_out = 0;
    struct booth *booth = booth_open((struct rig_size){.write_workers = 4, .batch_max = 16});
    struct booth *other = booth_open_replica(booth, (struct rig_size){.write_workers = 2});
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = COUPONS});

    for (int64_t i = 0; i < USERS; i++)
        asked[i] = start_claim(i % 2 ? booth : other, as_user(1 + i), campaign);
    for (size_t i = 0; i < USERS; i++) {
        const struct asked *answer = rig_await(asked[i]);
        if (answer->code != STATUS_OK) {
            expect_refused(answer, REASON_COUPON_SOLD_OUT);
            sold_out++;
            continue;
        }
        int64_t rank = coupon_of(answer)->rank;
        cr_assert(rank >= 1 && rank <= COUPONS && !given[rank], "rank %" PRId64, rank);
        given[rank] = true;
    }
    cr_assert_eq(sold_out, USERS - COUPONS);
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM user_coupon"), COUPONS);
    booth_close(other);
    booth_close(booth);
}

Test(claim, gives_a_coupon_that_starts_now_and_ends_after_its_days)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign = given_campaign_of(booth, (struct terms){.percent_hundredths = 1250});
    const Baro__Coupon__UserCoupon *coupon = coupon_of(claim_as(booth, as_user(USER), campaign));
    cr_assert_eq(coupon->coupon_id, campaign);
    cr_assert_str_eq(coupon->name, "봄맞이 할인");
    cr_assert_eq(coupon->type, BARO__COUPON__COUPON_TYPE__COUPON_TYPE_PERCENT);
    cr_assert_eq(coupon->value->hundredths, 1250);
    cr_assert_eq(coupon->status, BARO__COUPON__COUPON_STATUS__COUPON_STATUS_AVAILABLE);
    cr_assert_eq(coupon->rank, 1);
    cr_assert_eq(coupon->expires_at->us, coupon->issued_at->us + 7 * US_PER_DAY);
    cr_assert_null(coupon->used_at);
    cr_assert_null(coupon->order_id);
    expect_history(booth, coupon->id, "ISSUED");
    booth_close(booth);
}

Test(claim, of_the_same_user_again_is_refused)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = 2});
    coupon_of(claim_as(booth, as_user(USER), campaign));
    expect_refused(claim_as(booth, as_user(USER), campaign), REASON_COUPON_ALREADY_CLAIMED);
    cr_assert_eq(coupon_of(claim_as(booth, as_user(USER + 1), campaign))->rank, 2);
    expect_refused(claim_as(booth, as_user(USER), campaign), REASON_COUPON_ALREADY_CLAIMED);
    expect_refused(claim_as(booth, as_user(USER + 2), campaign), REASON_COUPON_SOLD_OUT);
    booth_close(booth);
}

Test(claim, of_the_same_user_in_one_batch_gives_one)
{
    struct booth *booth = booth_open((struct rig_size){.write_workers = 1});
    int64_t campaign = given_campaign_of(booth, (struct terms){0});
    struct db *blocker = block(booth, campaign);
    struct asked *first = start_claim(booth, as_user(USER), campaign);
    rig_await_blocked(booth->rig, 1);
    struct asked *batch[] = {
        start_claim(booth, as_user(USER + 1), campaign),
        start_claim(booth, as_user(USER + 1), campaign),
        start_claim(booth, as_user(USER), campaign),
        start_claim(booth, as_user(USER + 2), campaign),
    };
    db_destroy(blocker);

    cr_assert_eq(coupon_of(rig_await(first))->rank, 1);
    const Baro__Coupon__UserCoupon *second = coupon_of(rig_await(batch[0]));
    cr_assert_eq(second->rank, 2);
    expect_refused(rig_await(batch[1]), REASON_COUPON_ALREADY_CLAIMED);
    expect_refused(rig_await(batch[2]), REASON_COUPON_ALREADY_CLAIMED);
    const Baro__Coupon__UserCoupon *third = coupon_of(rig_await(batch[3]));
    cr_assert_eq(third->rank, 3);
    cr_assert_eq(second->issued_at->us, third->issued_at->us, "they share a batch");
    booth_close(booth);
}

Test(claim, of_the_same_user_by_many_workers_gives_one)
{
    enum { TRIES = 40 };
    struct booth *booth = booth_open((struct rig_size){.write_workers = 4, .batch_max = 1});
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = TRIES});
    struct asked *asked[TRIES];
    size_t claimed = 0;
    for (size_t i = 0; i < TRIES; i++)
        asked[i] = start_claim(booth, as_user(USER), campaign);
    for (size_t i = 0; i < TRIES; i++) {
        if (rig_await(asked[i])->code == STATUS_OK)
            claimed++;
        else
            expect_refused(asked[i], REASON_COUPON_ALREADY_CLAIMED);
    }
    cr_assert_eq(claimed, 1);
    booth_close(booth);
}

Test(claim, of_many_campaigns_in_every_order_never_deadlocks)
{
    enum { CAMPAIGNS = 5, USERS = 80 };
    static struct asked *asked[USERS][CAMPAIGNS];
    struct booth *booth = booth_open((struct rig_size){.write_workers = 4, .batch_max = 7});
    int64_t campaigns[CAMPAIGNS];
    for (size_t c = 0; c < CAMPAIGNS; c++)
        campaigns[c] = given_campaign_of(booth, (struct terms){.total_quantity = USERS});
    for (int64_t u = 0; u < USERS; u++)
        for (int64_t c = 0; c < CAMPAIGNS; c++)
            asked[u][c] =
                start_claim(booth, as_user(1 + u), campaigns[u % 2 ? c : CAMPAIGNS - 1 - c]);
    for (size_t u = 0; u < USERS; u++)
        for (size_t c = 0; c < CAMPAIGNS; c++)
            coupon_of(rig_await(asked[u][c]));
    booth_close(booth);
}

Test(claim, again_with_its_key_gets_the_first_answer)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = 1});
    struct as me = as_user_with_key(USER, "claim-1"), late = as_user_with_key(USER + 1, "claim-1");
    int64_t id = coupon_of(claim_as(booth, me, campaign))->id;
    expect_refused(claim_as(booth, late, campaign), REASON_COUPON_SOLD_OUT);
    cr_assert_eq(coupon_of(claim_as(booth, me, campaign))->id, id);
    expect_refused(claim_as(booth, late, campaign), REASON_COUPON_SOLD_OUT);
    expect_refused(claim_as(booth, me, campaign + 1), REASON_IDEMPOTENCY_KEY_REUSED);
    booth_close(booth);
}

Test(claim, waits_for_its_window_and_ends_with_it)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign =
        given_campaign_of(booth, (struct terms){.starts_in_s = 3600, .ends_in_s = 7200});
    expect_refused(claim_as(booth, as_user(USER), campaign), REASON_COUPON_WINDOW_CLOSED);
    rig_shift_clock(booth->rig, "1 hour 1 minute");
    coupon_of(claim_as(booth, as_user(USER), campaign));
    rig_shift_clock(booth->rig, "2 hours 1 minute");
    expect_refused(claim_as(booth, as_user(USER + 1), campaign), REASON_COUPON_WINDOW_CLOSED);
    booth_close(booth);
}

Test(claim, of_no_campaign_is_not_found_and_harms_nobody_in_its_batch)
{
    struct booth *booth = booth_open((struct rig_size){.write_workers = 1});
    int64_t campaign = given_campaign_of(booth, (struct terms){0});
    struct db *blocker = block(booth, campaign);
    struct asked *first = start_claim(booth, as_user(USER), campaign);
    rig_await_blocked(booth->rig, 1);
    struct asked *unknown = start_claim(booth, as_user(USER), campaign + 1000);
    struct asked *known = start_claim(booth, as_user(USER + 1), campaign);
    db_destroy(blocker);
    coupon_of(rig_await(first));
    expect_refused(rig_await(unknown), REASON_COUPON_NOT_FOUND);
    cr_assert_eq(coupon_of(rig_await(known))->rank, 2);
    booth_close(booth);
}
