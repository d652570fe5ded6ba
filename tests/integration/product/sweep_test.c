// The hold sweep: what it releases, what it leaves, and what happens when it is disturbed.

#include "tests/integration/product/depot.h"

#include <criterion/criterion.h>

static void must_sweep(struct depot *depot)
{
    struct status st = depot_sweep(depot);
    cr_assert(!failed(st), "%s %s", reason_word(st.reason), st.message ? st.message : "");
}

Test(sweep, leaves_holds_whose_time_is_not_over)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    must_sweep(depot);
    cr_expect_eq(held_of(depot, option), 4);
    depot_close(depot);
}

Test(sweep, releases_expired_holds_of_orders_that_do_not_live)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    reply_of(hold(depot, 2, option, 3));
    depot->live[depot->live_count++] = 2;
    rig_shift_clock(depot->rig, "11 minutes");
    must_sweep(depot);
    cr_expect_eq(held_of(depot, option), 3);
    cr_expect_eq(holds_of(depot, 1, "RELEASED"), 1);
    cr_expect_eq(holds_of(depot, 2, "HELD"), 1);
    expect_refused(step(depot, "ConfirmStock", 1), REASON_HOLD_LOST);
    reply_of(step(depot, "ConfirmStock", 2)); // the extension is as good as the hold
    depot_close(depot);
}

Test(sweep, takes_a_living_order_up_again_when_its_extension_ends)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    depot->live[depot->live_count++] = 1;
    rig_shift_clock(depot->rig, "11 minutes");
    must_sweep(depot);
    depot->live_count = 0;
    must_sweep(depot);
    cr_expect_eq(held_of(depot, option), 4);
    rig_shift_clock(depot->rig, "13 minutes");
    must_sweep(depot);
    cr_expect_eq(held_of(depot, option), 0);
    depot_close(depot);
}

Test(sweep, releases_nothing_while_the_order_service_is_silent)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    rig_shift_clock(depot->rig, "11 minutes");
    depot->is_order_service_down = true;
    cr_expect_eq(depot_sweep(depot).code, STATUS_UNAVAILABLE);
    cr_expect_eq(held_of(depot, option), 4);
    depot->is_order_service_down = false;
    rig_shift_clock(depot->rig, "13 minutes");
    must_sweep(depot);
    cr_expect_eq(held_of(depot, option), 0);
    depot_close(depot);
}

// The order is confirmed after the claim and before the release.
static void confirm_order_1(struct depot *depot)
{
    depot->when_asked = NULL;
    reply_of(step(depot, "ConfirmStock", 1));
}

Test(sweep, never_takes_back_what_is_confirmed_meanwhile_and_holds_no_lock_while_it_asks)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    rig_shift_clock(depot->rig, "11 minutes");
    depot->when_asked = confirm_order_1;
    must_sweep(depot);
    cr_expect_eq(holds_of(depot, 1, "CONFIRMED"), 1);
    cr_expect_eq(total_of(depot, option), 6);
    depot_close(depot);
}

// Another replica's sweep comes while the first one asks.
static void sweep_beside(struct depot *depot)
{
    depot->when_asked = NULL;
    must_sweep(depot);
    cr_expect_eq(holds_of(depot, 1, "HELD"), 1, "it is the first sweep's");
}

Test(sweep, releases_each_hold_once_on_two_replicas)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    rig_shift_clock(depot->rig, "11 minutes");
    depot->when_asked = sweep_beside;
    must_sweep(depot);
    cr_expect_eq(holds_of(depot, 1, "RELEASED"), 1);
    cr_expect_eq(held_of(depot, option), 0);
    depot_close(depot);
}

static const struct statement LOCK_ORDER_1 = {
    "test_lock_order_1", "SELECT order_id FROM hold WHERE order_id = 1 FOR UPDATE"};

Test(sweep, passes_by_holds_that_somebody_is_working_on)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    struct rows rows;
    reply_of(hold(depot, 1, option, 4));
    reply_of(hold(depot, 2, option, 3));
    rig_shift_clock(depot->rig, "11 minutes");
    SCOPED(db) *other = rig_db(depot->rig);
    cr_assert(!failed(db_begin(other)));
    cr_assert(!failed(db_query(other, &LOCK_ORDER_1, NO_PARAMS, &rows)));
    must_sweep(depot);
    cr_expect_eq(holds_of(depot, 1, "HELD"), 1);
    cr_expect_eq(holds_of(depot, 2, "RELEASED"), 1);
    db_rollback(other);
    must_sweep(depot);
    cr_expect_eq(holds_of(depot, 1, "RELEASED"), 1);
    depot_close(depot);
}

Test(sweep, works_through_more_than_one_lot)
{
    enum { ORDERS = 450 };
    struct depot *depot = depot_open((struct rig_size){1, 0});
    struct line line = {given_stock(depot, 1000), 1};
    struct asked *asked[ORDERS];
    for (int64_t i = 0; i < ORDERS; i++)
        asked[i] = start_hold(depot, 1 + i, &line, 1);
    for (size_t i = 0; i < ORDERS; i++)
        reply_of(rig_await(asked[i]));
    rig_shift_clock(depot->rig, "11 minutes");
    must_sweep(depot);
    cr_expect_eq(held_of(depot, line.option_id), 0);
    depot_close(depot);
}
