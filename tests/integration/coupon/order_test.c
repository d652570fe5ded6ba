// Coupons of orders on a real database: reserved, used and given back, in every order, again and at
// once. booth_close() asserts law 3 after each.

#include "tests/integration/coupon/booth.h"
#include "tests/support/database.h"
#include "tests/support/replicas.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { USER = 7, ORDER = 1001, SAGA = 501 };

// Locks all coupons from outside; what comes meanwhile waits.
static struct db *block(struct booth *booth)
{
    static const struct statement LOCK = {"test_block", "SELECT id FROM user_coupon FOR UPDATE"};
    struct db *db = rig_db(booth->rig);
    struct rows rows;
    cr_assert(!failed(db_begin(db)));
    cr_assert(!failed(db_query(db, &LOCK, NO_PARAMS, &rows)));
    return db;
}

static struct wish wish(int64_t coupon_id, int64_t order_id)
{
    return (struct wish){USER, coupon_id, order_id, 10000};
}

// Exactly one of two got what both wanted; the other was refused for a reason that clients know.
static void expect_one(struct asked *first, struct asked *second)
{
    const struct asked *one = rig_await(first), *other = rig_await(second);
    if (one->code != STATUS_OK) {
        const struct asked *swap = one;
        one = other;
        other = swap;
    }
    reply_of(one);
    expect_refused(other, REASON_COUPON_NOT_USABLE);
}

Test(hold, reserves_the_coupon_and_tells_the_discount)
{
    static const struct {
        struct terms terms;
        int64_t amount_won, discount_won;
    } ROWS[] = {
        {{.percent_hundredths = 1000},                           1235, 123 },
        {{.percent_hundredths = 5000, .max_discount_won = 3000}, 9000, 3000},
        {{0},                                                    700,  700 },
    };
    struct booth *booth = booth_open((struct rig_size){0});
    for (int64_t i = 0; i < 3; i++) {
        int64_t coupon = given_coupon(booth, USER, ROWS[i].terms);
        struct wish mine = {USER, coupon, ORDER + i, ROWS[i].amount_won};
        expect_discount(hold(booth, mine), ROWS[i].discount_won);
        expect_discount(hold(booth, mine), ROWS[i].discount_won);
        expect_history(booth, coupon,
                       i == 0   ? "ISSUED HELD:1001"
                       : i == 1 ? "ISSUED HELD:1002"
                                : "ISSUED HELD:1003");
    }
    booth_close(booth);
}

Test(hold, of_what_cannot_be_used_is_refused)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t coupon = given_coupon(booth, USER, (struct terms){.min_order_won = 10000});
    struct wish not_mine = {USER + 1, coupon, ORDER, 10000};
    struct wish too_small = {USER, coupon, ORDER, 9999};
    expect_refused(hold(booth, not_mine), REASON_COUPON_NOT_USABLE);
    expect_refused(hold(booth, too_small), REASON_COUPON_NOT_USABLE);
    expect_refused(hold(booth, wish(coupon + 1, ORDER)), REASON_COUPON_NOT_FOUND);
    rig_shift_clock(booth->rig, "8 days");
    expect_refused(hold(booth, wish(coupon, ORDER)), REASON_COUPON_NOT_USABLE);
    expect_status(booth, coupon, "AVAILABLE");
    booth_close(booth);
}

Test(hold, needs_a_time_to_live_that_is_sane)
{
    struct booth *booth = booth_open((struct rig_size){0});
    Baro__Coupon__HoldCouponRequest request;
    baro__coupon__hold_coupon_request__init(&request);
    const int64_t ttls[] = {0, -1, INT64_C(86400001), INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        request.ttl_ms = ttls[i];
        expect_invalid(rig_call(booth->rig, "HoldCoupon", as_service(), &request.base), "ttl_ms");
    }
    booth_close(booth);
}

Test(hold, of_one_coupon_by_two_orders_at_once_gives_it_to_one)
{
    struct booth *booth = booth_open((struct rig_size){.write_workers = 2, .batch_max = 1});
    int64_t coupon = given_coupon(booth, USER, (struct terms){0});
    struct db *blocker = block(booth);
    struct asked *one = start_hold(booth, wish(coupon, ORDER));
    struct asked *other = start_hold(booth, wish(coupon, ORDER + 1));
    rig_await_blocked(booth->rig, 2);
    db_destroy(blocker);
    expect_one(one, other);
    booth_close(booth);
}

Test(hold, of_one_coupon_by_two_orders_in_one_batch_gives_it_to_the_first)
{
    struct booth *booth = booth_open((struct rig_size){.write_workers = 1});
    int64_t other_coupon = given_coupon(booth, USER, (struct terms){0});
    int64_t coupon = given_coupon(booth, USER, (struct terms){0});
    struct db *blocker = block(booth);
    struct asked *before = start_hold(booth, wish(other_coupon, ORDER));
    rig_await_blocked(booth->rig, 1);
    struct asked *first = start_hold(booth, wish(coupon, ORDER + 1));
    struct asked *second = start_hold(booth, wish(coupon, ORDER + 2));
    db_destroy(blocker);
    expect_discount(rig_await(before), 1000);
    expect_discount(rig_await(first), 1000);
    expect_refused(rig_await(second), REASON_COUPON_NOT_USABLE);
    booth_close(booth);
}

Test(hold, for_an_order_that_has_another_coupon_is_refused)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t first = given_coupon(booth, USER, (struct terms){0});
    int64_t second = given_coupon(booth, USER, (struct terms){0});
    expect_discount(hold(booth, wish(first, ORDER)), 1000);
    expect_refused(hold(booth, wish(second, ORDER)), REASON_COUPON_NOT_USABLE);
    expect_refused(redeem(booth, SAGA, wish(second, ORDER)), REASON_COUPON_NOT_USABLE);
    expect_status(booth, second, "AVAILABLE");
    expect_discount(redeem(booth, SAGA + 1, wish(first, ORDER)), 1000);
    expect_refused(hold(booth, wish(second, ORDER)), REASON_COUPON_NOT_USABLE);
    reply_of(restore(booth, SAGA + 1, wish(first, ORDER)));
    expect_discount(redeem(booth, SAGA + 2, wish(second, ORDER)), 1000);
    booth_close(booth);
}

// Both batches look before either writes: the unique index decides, and the loser runs again.
Test(hold, of_two_coupons_for_one_order_at_once_gives_it_one)
{
    struct booth *booth = booth_open((struct rig_size){.write_workers = 2, .batch_max = 1});
    int64_t first = given_coupon(booth, USER, (struct terms){0});
    int64_t second = given_coupon(booth, USER, (struct terms){0});
    struct db *blocker = block(booth);
    struct asked *one = start_hold(booth, wish(first, ORDER));
    struct asked *other = start_hold(booth, wish(second, ORDER));
    rig_await_blocked(booth->rig, 2);
    db_destroy(blocker);
    expect_one(one, other);
    booth_close(booth);
}

Test(redemption, of_two_coupons_for_one_order_at_once_uses_one)
{
    struct booth *booth = booth_open((struct rig_size){.write_workers = 2, .batch_max = 1});
    int64_t first = given_coupon(booth, USER, (struct terms){0});
    int64_t second = given_coupon(booth, USER, (struct terms){0});
    struct db *blocker = block(booth);
    struct asked *one = start_redeem(booth, SAGA, wish(first, ORDER));
    struct asked *other = start_redeem(booth, SAGA + 1, wish(second, ORDER));
    rig_await_blocked(booth->rig, 2);
    db_destroy(blocker);
    expect_one(one, other);
    booth_close(booth);
}

Test(redemption, uses_a_reservation_or_an_available_coupon_once)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t held = given_coupon(booth, USER, (struct terms){0});
    int64_t available = given_coupon(booth, USER, (struct terms){.percent_hundredths = 1000});
    reply_of(hold(booth, wish(held, ORDER)));
    for (int copy = 0; copy < 3; copy++) {
        expect_discount(redeem(booth, SAGA, wish(held, ORDER)), 1000);
        expect_discount(redeem(booth, SAGA + 1, wish(available, ORDER + 1)), 1000);
    }
    expect_history(booth, held, "ISSUED HELD:1001 USED:1001");
    expect_history(booth, available, "ISSUED USED:1002");
    booth_close(booth);
}

Test(redemption, that_is_refused_gives_the_reservation_back_once)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t coupon = given_coupon(booth, USER, (struct terms){.min_order_won = 10000});
    struct wish too_small = {USER, coupon, ORDER, 9999};
    reply_of(hold(booth, wish(coupon, ORDER)));
    for (int copy = 0; copy < 3; copy++)
        expect_refused(redeem(booth, SAGA, too_small), REASON_COUPON_NOT_USABLE);
    expect_history(booth, coupon, "ISSUED HELD:1001 RESTORED:1001");
    expect_status(booth, coupon, "AVAILABLE");
    reply_of(restore(booth, SAGA, too_small));
    expect_history(booth, coupon, "ISSUED HELD:1001 RESTORED:1001");
    booth_close(booth);
}

Test(redemption, in_a_batch_leaves_a_row_of_history_for_each_change)
{
    struct booth *booth = booth_open((struct rig_size){.write_workers = 1});
    int64_t decoy = given_coupon(booth, USER, (struct terms){0});
    int64_t coupon = given_coupon(booth, USER, (struct terms){.min_order_won = 10000});
    reply_of(hold(booth, wish(coupon, ORDER)));
    struct wish too_small = {USER, coupon, ORDER, 9999};
    struct db *blocker = block(booth);
    struct asked *before = start_redeem(booth, SAGA, wish(decoy, ORDER + 1));
    rig_await_blocked(booth->rig, 1);
    struct asked *refused = start_redeem(booth, SAGA + 1, too_small);
    struct asked *next = start_redeem(booth, SAGA + 2, wish(coupon, ORDER + 2));
    db_destroy(blocker);
    reply_of(rig_await(before));
    expect_refused(rig_await(refused), REASON_COUPON_NOT_USABLE);
    expect_discount(rig_await(next), 1000);
    expect_history(booth, coupon, "ISSUED HELD:1001 RESTORED:1001 USED:1003");
    booth_close(booth);
}

// Every sequence of up to four copies of the action (A) and its compensation (C): once compensated,
// the coupon stays with its owner, and the history says no more than what happened.
Test(redemption, and_its_compensation_hold_in_every_order_and_number)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t saga = SAGA;
    for (unsigned length = 1; length <= 4; length++)
        for (unsigned sequence = 0; sequence < 1u << length; sequence++, saga++) {
            int64_t coupon = given_coupon(booth, USER, (struct terms){0});
            bool compensated = false;
            for (unsigned i = 0; i < length; i++) {
                if (sequence & 1u << i) {
                    reply_of(restore(booth, saga, wish(coupon, saga)));
                    compensated = true;
                } else if (compensated) {
                    expect_refused(redeem(booth, saga, wish(coupon, saga)),
                                   REASON_STEP_COMPENSATED);
                } else {
                    expect_discount(redeem(booth, saga, wish(coupon, saga)), 1000);
                }
            }
            expect_status(booth, coupon, compensated ? "AVAILABLE" : "USED");
        }
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM (SELECT FROM user_coupon_history"
                                        " GROUP BY user_coupon_id, change HAVING count(*) > 1) x"),
                 0);
    booth_close(booth);
}

Test(restoring, touches_only_what_the_order_has)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t held = given_coupon(booth, USER, (struct terms){0});
    int64_t used = given_coupon(booth, USER, (struct terms){0});
    reply_of(hold(booth, wish(held, ORDER)));
    reply_of(redeem(booth, SAGA, wish(used, ORDER + 1)));
    reply_of(release(booth, SAGA + 1, wish(held, ORDER + 2)));
    reply_of(release(booth, SAGA + 2, wish(used, ORDER + 2)));
    reply_of(release(booth, SAGA + 3, wish(used + 1000, ORDER + 2)));
    expect_status(booth, held, "HELD");
    expect_status(booth, used, "USED");
    for (int copy = 0; copy < 2; copy++) {
        reply_of(release(booth, SAGA + 4, wish(held, ORDER)));
        reply_of(release(booth, SAGA + 5, wish(used, ORDER + 1)));
    }
    expect_history(booth, held, "ISSUED HELD:1001 RESTORED:1001");
    expect_history(booth, used, "ISSUED USED:1002 RESTORED:1002");
    booth_close(booth);
}

Test(cancelling, works_whatever_the_coupon_is_and_only_once)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t available = given_coupon(booth, USER, (struct terms){0});
    int64_t held = given_coupon(booth, USER, (struct terms){0});
    int64_t used = given_coupon(booth, USER, (struct terms){0});
    reply_of(hold(booth, wish(held, ORDER)));
    reply_of(redeem(booth, SAGA, wish(used, ORDER + 1)));
    const int64_t coupons[] = {available, held, used};
    for (size_t i = 0; i < 3; i++) {
        const Baro__Coupon__UserCoupon *shown = coupon_of(cancel(booth, as_admin(), coupons[i]));
        cr_assert_eq(shown->status, BARO__COUPON__COUPON_STATUS__COUPON_STATUS_CANCELLED);
        expect_refused(cancel(booth, as_admin(), coupons[i]), REASON_ILLEGAL_TRANSITION);
        expect_refused(hold(booth, wish(coupons[i], ORDER + 2)), REASON_COUPON_NOT_USABLE);
    }
    expect_history(booth, available, "ISSUED CANCELLED");
    expect_history(booth, held, "ISSUED HELD:1001 CANCELLED:1001");
    expect_history(booth, used, "ISSUED USED:1002 CANCELLED:1002");
    expect_refused(cancel(booth, as_admin(), used + 1000), REASON_COUPON_NOT_FOUND);
    booth_close(booth);
}

Test(cancelling, is_final_for_the_orders_that_had_the_coupon)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t held = given_coupon(booth, USER, (struct terms){0});
    int64_t used = given_coupon(booth, USER, (struct terms){0});
    reply_of(hold(booth, wish(held, ORDER)));
    reply_of(redeem(booth, SAGA, wish(used, ORDER + 1)));
    coupon_of(cancel(booth, as_admin(), held));
    coupon_of(cancel(booth, as_admin(), used));
    expect_refused(redeem(booth, SAGA + 1, wish(held, ORDER)), REASON_COUPON_NOT_USABLE);
    reply_of(restore(booth, SAGA, wish(used, ORDER + 1)));
    expect_status(booth, held, "CANCELLED");
    expect_status(booth, used, "CANCELLED");
    cr_expect_eq(rig_number(booth->rig, "SELECT count(used_at) FROM user_coupon"), 0);
    booth_close(booth);
}

Test(history, can_be_neither_changed_nor_emptied)
{
    struct booth *booth = booth_open((struct rig_size){0});
    given_coupon(booth, USER, (struct terms){0});
    SCOPED(db) *db = rig_db(booth->rig);
    cr_assert(failed(db_script(db, "UPDATE user_coupon_history SET change = 'USED'")));
    cr_assert(failed(db_script(db, "DELETE FROM user_coupon_history")));
    cr_assert(failed(db_script(db, "TRUNCATE user_coupon_history")));
    booth_close(booth);
}

// A copy of HoldCoupon that was on its way for long must not take the coupon from the buyer.
Test(hold, that_comes_after_its_order_gave_back_reserves_nothing)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t early = given_coupon(booth, USER, (struct terms){0});
    int64_t late = given_coupon(booth, USER, (struct terms){0});
    reply_of(release(booth, SAGA, wish(early, ORDER)));
    expect_refused(hold(booth, wish(early, ORDER)), REASON_COUPON_NOT_USABLE);
    reply_of(hold(booth, wish(late, ORDER + 1)));
    reply_of(release(booth, SAGA + 1, wish(late, ORDER + 1)));
    expect_refused(hold(booth, wish(late, ORDER + 1)), REASON_COUPON_NOT_USABLE);
    expect_history(booth, early, "ISSUED");
    expect_history(booth, late, "ISSUED HELD:1002 RESTORED:1002");
    expect_discount(hold(booth, wish(early, ORDER + 2)), 1000);
    booth_close(booth);
}

Test(hold, that_is_being_made_is_waited_for_by_whoever_gives_it_back)
{
    struct booth *booth = booth_open((struct rig_size){2, 1});
    int64_t coupon = given_coupon(booth, USER, (struct terms){0});
    struct gate *gate = gate_close(booth->rig->url, "user_coupon_history", "INSERT");
    struct asked *holding = start_hold(booth, wish(coupon, ORDER));
    gate_await(gate, 1);
    struct asked *releasing = start_release(booth, SAGA, wish(coupon, ORDER));
    gate_await(gate, 2);
    gate_open(gate);
    reply_of(rig_await(holding));
    reply_of(rig_await(releasing));
    expect_history(booth, coupon, "ISSUED HELD:1001 RESTORED:1001");
    booth_close(booth);
}
