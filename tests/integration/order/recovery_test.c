// Orchestrators that die, sleep or fight: whatever they left behind ends, once.

#include "tests/integration/order/life.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "services/order/store.h"
#include "tests/support/database.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <time.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name
#define PAYMENT(name) BARO__ORDER__PAYMENT_STATUS__PAYMENT_STATUS_##name

enum { ALICE = 1 };

// A payment that stands still at the given step.
static int64_t given_stuck_payment(struct life *here, const char *method, int64_t user_coupon_id)
{
    shop_set_balance(here->shop, ALICE, 5000);
    shop_silence(here->shop, method, 0);
    int64_t id = given_order(here, ALICE);
    reply_of(rig_await(start_pay(here, as_user(ALICE), id, user_coupon_id, 0)));
    return id;
}

Test(order_recovery, a_restarted_replica_takes_its_own_sagas_over_at_once)
{
    static const char *const STEPS[] = {"RedeemCoupon", "DebitWallet", "ConfirmStock"};
    for (size_t i = 0; i < COUNT(STEPS); i++) {
        struct life *here = life_begin();
        int64_t id = given_stuck_payment(here, STEPS[i], SHOP_COUPON);
        life_kill(here);
        shop_speak(here->shop, STEPS[i]);
        struct life *next = life_begin_beside(here, "order-0");
        life_keep(next);
        const Baro__Order__OrderView *order = await_status(next, id, STATUS(PAID));
        cr_assert_eq(order->n_payments, 1);
        cr_assert_eq(order->final_amount, 1500);
        cr_assert_eq(shop_balance(here->shop, ALICE), 3500);
        life_end(next);
        life_end(here);
    }
}

Test(order_recovery, a_restart_in_the_middle_of_the_ten_minutes_changes_nothing)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t paid = given_order(here, ALICE), forgotten = given_order(here, ALICE);
    life_pass_time(here, 300000);
    life_kill(here);
    struct life *next = life_begin_beside(here, "order-0");
    life_keep(next);
    life_expire(next);
    expect_order(pay(next, as_user(ALICE), paid, 0), STATUS(PAID));
    expect_order(get(next, as_user(ALICE), forgotten), STATUS(PENDING));
    life_pass_time(next, 300001);
    life_expire(next);
    await_number(next, 1, "SELECT count(*) FROM saga WHERE kind = 'release' AND state = 2");
    expect_order(get(next, as_user(ALICE), forgotten), STATUS(EXPIRED));
    expect_order(get(next, as_user(ALICE), paid), STATUS(PAID));
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK - 2);
    cr_assert_eq(shop_hold_of(here->shop, paid), SHOP_CONFIRMED);
    life_end(next);
    life_end(here);
}

Test(order_recovery, another_replica_takes_over_when_the_lease_has_run_out_and_not_before)
{
    struct life *here = life_begin();
    int64_t id = given_stuck_payment(here, "ConfirmStock", 0);
    life_kill(here);
    shop_speak(here->shop, "ConfirmStock");
    struct life *other = life_begin_beside(here, "order-1");
    life_keep(other);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE owner LIKE 'order-1#%%'"), 0);
    life_pass_time(other, 10001);
    life_keep(other);
    await_status(other, id, STATUS(PAID));
    cr_assert_eq(shop_balance(here->shop, ALICE), 3000);
    life_end(other);
    life_end(here);
}

Test(order_recovery, a_replica_that_stops_in_good_order_leaves_its_sagas_to_others_at_once)
{
    struct life *here = life_begin();
    struct life *leaving = life_begin_beside(here, "order-1");
    int64_t id = given_stuck_payment(leaving, "ConfirmStock", 0);
    life_end(leaving);
    shop_speak(here->shop, "ConfirmStock");
    life_keep(here);
    await_status(here, id, STATUS(PAID));
    life_end(here);
}

Test(order_recovery, a_replica_that_stops_waits_for_no_saga_that_somebody_writes)
{
    static const struct statement lock = {"lock", "SELECT id FROM saga ORDER BY id LIMIT 1"
                                                  " FOR UPDATE"};
    struct rows rows;
    struct life *here = life_begin();
    struct life *leaving = life_begin_beside(here, "order-1");
    int64_t written = given_stuck_payment(leaving, "ConfirmStock", 0);
    int64_t left = given_stuck_payment(leaving, "ConfirmStock", 0);
    SCOPED(db) *db = rig_db(here->rig);
    cr_assert(!failed(db_begin(db)));
    cr_assert(!failed(db_query(db, &lock, NO_PARAMS, &rows)));
    life_end(leaving);
    db_rollback(db);
    shop_speak(here->shop, "ConfirmStock");
    life_keep(here);
    await_status(here, left, STATUS(PAID));
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE owner LIKE 'order-1#%%'"), 1);
    life_pass_time(here, 10001);
    life_keep(here);
    await_status(here, written, STATUS(PAID));
    life_end(here);
}

// PostgreSQL may keep a batch longer than the drain is patient.
Test(order_recovery, a_batch_that_outlives_the_drain_finds_everything_in_its_place)
{
    static const struct statement lock = {"lock", "SELECT id FROM orders FOR UPDATE"};
    struct rows rows;
    struct life *here = life_begin();
    struct life *leaving = life_begin_beside(here, "order-1");
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    SCOPED(db) *db = rig_db(here->rig);
    cr_assert(!failed(db_begin(db)));
    cr_assert(!failed(db_query(db, &lock, NO_PARAMS, &rows)));
    start_pay(leaving, as_user(ALICE), id, 0, 0);
    rig_await_blocked(here->rig, 1);
    order_service_stop(&leaving->service);
    db_rollback(db);
    life_end_stopped(leaving);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE owner LIKE 'order-1#%%'"), 1);
    life_keep(here);
    await_status(here, id, STATUS(PAID));
    life_end(here);
}

Test(order_recovery, leases_of_running_sagas_are_renewed)
{
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    given_stuck_payment(here, "ConfirmStock", 0);
    for (int i = 0; i < 4; i++) {
        life_pass_time(here, 6000);
        life_keep(here);
        life_keep(other);
    }
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE owner LIKE 'order-1#%%'"), 0);
    shop_speak(here->shop, "ConfirmStock");
    life_end(other);
    life_end(here);
}

Test(order_recovery, two_orchestrators_of_one_saga_end_it_once)
{
    struct life *here = life_begin();
    int64_t id = given_stuck_payment(here, "ConfirmStock", 0);
    struct life *thief = life_begin_beside(here, "order-1");
    life_pass_time(here, 10001);
    life_keep(thief);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE owner LIKE 'order-1#%%'"), 1);
    shop_speak(here->shop, "ConfirmStock");
    const Baro__Order__OrderView *order = await_status(thief, id, STATUS(PAID));
    cr_assert_eq(order->n_timeline, 3);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM payment WHERE status = 3"), 1);
    cr_assert_eq(shop_balance(here->shop, ALICE), 3000);
    life_end(thief);
    life_end(here);
}

Test(order_recovery, a_decision_to_give_back_survives_its_orchestrator)
{
    struct life *here = life_begin_being(GIVES_UP_EARLY);
    shop_silence(here->shop, "RestoreCoupon", 0);
    int64_t id = given_stuck_payment(here, "DebitWallet", SHOP_COUPON);
    await_number(here, 1, "SELECT count(*) FROM saga WHERE state = 1");
    life_kill(here);
    shop_speak(here->shop, "DebitWallet"); // would be paid, if the decision were forgotten
    shop_speak(here->shop, "RestoreCoupon");
    struct life *next = life_begin_beside(here, "order-0");
    life_keep(next);
    const Baro__Order__OrderView *order = await_status(next, id, STATUS(CANCELLED));
    cr_assert_str_eq(order->failure_reason, "SYSTEM_FAILURE");
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    cr_assert_eq(shop_coupon_state(here->shop), SHOP_AVAILABLE);
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RELEASED);
    life_end(next);
    life_end(here);
}

static bool has_lost_a_saga(void *arg)
{
    (void)arg;
    return metric_value(metrics_counter("baro_saga_lost_total", "Sagas another orchestrator has.",
                                        NULL)) > 0;
}

// A replica that sleeps loses its saga to one that gives back, and has it back when that one sleeps.
Test(order_recovery, a_decision_to_give_back_binds_whoever_has_the_saga_again)
{
    struct life *here = life_begin();
    int64_t id = given_stuck_payment(here, "ConfirmStock", 0);
    cr_assert_eq(life_number(here, "UPDATE saga SET state = 1, failure_code = 13,"
                                   " failure_reason = 'SYSTEM_FAILURE' RETURNING 1"),
                 1);
    shop_speak(here->shop, "ConfirmStock"); // the way forward is free
    cr_assert(stand_wait(has_lost_a_saga, NULL, 10 * MS_PER_S));
    life_pass_time(here, 10001);
    life_keep(here);
    const Baro__Order__OrderView *order = await_status(here, id, STATUS(CANCELLED));
    cr_assert_str_eq(order->failure_reason, "SYSTEM_FAILURE");
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    life_end(here);
}

Test(order_recovery, a_held_order_stays_held_for_whoever_takes_it_over)
{
    struct life *here = life_begin_being(HOLDS_EARLY);
    int64_t id = given_stuck_payment(here, "DebitWallet", 0);
    await_status(here, id, STATUS(HELD));
    life_kill(here);
    shop_set_balance(here->shop, ALICE, 0);
    shop_speak(here->shop, "DebitWallet");
    struct life *next = life_begin_beside(here, "order-0");
    life_keep(next);
    await_status(next, id, STATUS(CANCELLED));
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RELEASED);
    life_end(next);
    life_end(here);
}

Test(order_recovery, a_refund_that_was_interrupted_is_finished)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, SHOP_COUPON), STATUS(PAID));
    shop_silence(here->shop, "ReturnStock", 0);
    expect_order(cancel(here, as_user(ALICE), id), STATUS(REFUNDING));
    life_kill(here);
    shop_speak(here->shop, "ReturnStock");
    struct life *next = life_begin_beside(here, "order-0");
    life_keep(next);
    const Baro__Order__OrderView *order = await_status(next, id, STATUS(REFUNDED));
    cr_assert_eq(order->payments[0]->status, PAYMENT(REFUNDED));
    cr_assert_eq(shop_balance(here->shop, ALICE), 5000);
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RETURNED);
    life_end(next);
    life_end(here);
}

static void run(const struct life *here, const char *sql)
{
    SCOPED(db) *db = db_create(here->settings.common.database_url, "test");
    test_script(db, sql);
}

static const Baro__Order__SagaView *only_saga(struct life *here)
{
    Baro__Order__ListSagasRequest list;
    baro__order__list_sagas_request__init(&list);
    const Baro__Order__SagaPage *page = reply_of(ask(here, "ListSagas", as_admin(), &list.base));
    cr_assert_eq(page->n_items, 1);
    return page->items[0];
}

static const struct asked *retry(struct life *here, struct as as, int64_t saga_id)
{
    Baro__Order__RetrySagaRequest request;
    baro__order__retry_saga_request__init(&request);
    request.saga_id = saga_id;
    return ask(here, "RetrySaga", as, &request.base);
}

// How long it has been under way does not depend on who walks it: that is what its decision goes by.
Test(order_recovery, a_saga_brings_its_age_along_to_whoever_takes_it_over)
{
    struct life *here = life_begin();
    given_stuck_payment(here, "DebitWallet", 0);
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = rig_db(here->rig);
    struct saga_set set;
    for (int64_t s = 40; s <= 120; s += 40) {
        life_pass_time(here, 40 * MS_PER_S);
        cr_assert(!failed(store_take_over(db, arena, "order-9#1", 1000, 10, &set)));
        cr_assert_eq(set.count, 1);
        cr_assert_geq(set.rows[0].age_us, s * US_PER_S);
        cr_assert_lt(set.rows[0].age_us, (s + 30) * US_PER_S);
    }
    shop_speak(here->shop, "DebitWallet");
    life_end(here);
}

Test(order_recovery, a_saga_that_cannot_be_read_is_parked_and_seen_until_somebody_can)
{
    static const char *const DAMAGE[][2] = {
        {"UPDATE saga SET context = '\\xff' || context",
         "UPDATE saga SET context = substr(context, 2)"},
        {"ALTER TABLE saga DROP CONSTRAINT saga_kind_check; UPDATE saga SET kind = 'gift'",
         "UPDATE saga SET kind = 'pay'"                },
    };
    for (size_t i = 0; i < COUNT(DAMAGE); i++) {
        struct life *here = life_begin();
        int64_t id = given_stuck_payment(here, "DebitWallet", 0);
        life_kill(here);
        shop_speak(here->shop, "DebitWallet");
        run(here, DAMAGE[i][0]);
        struct life *next = life_begin_beside(here, "order-0");
        life_keep(next);
        const Baro__Order__SagaView *saga = only_saga(next);
        cr_assert(saga->parked);
        cr_assert_str_eq(saga->state, "RUNNING");
        run(here, "UPDATE saga SET updated_at = '2020-01-01'");
        life_keep(next);
        cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE updated_at < '2021-01-01'"),
                     1, "it is left alone for a while");

        run(here, DAMAGE[i][1]);
        reply_of(retry(next, as_admin(), saga->id));
        life_keep(next);
        await_status(next, id, STATUS(PAID));
        cr_assert_not(only_saga(next)->parked);
        cr_assert_eq(shop_balance(here->shop, ALICE), 3000);
        life_end(next);
        life_end(here);
    }
}

Test(order_recovery, a_parked_saga_that_is_taken_over_shows_as_moving_and_then_as_parked_again)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "ReleaseStock", 0);
    expect_order(cancel(here, as_user(ALICE), id), STATUS(CANCELLED));
    await_number(here, 1, "SELECT count(*) FROM saga WHERE parked");
    life_kill(here);
    run(here, "CREATE TABLE seen (id bigint GENERATED ALWAYS AS IDENTITY, parked boolean);"
              "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
              "  INSERT INTO seen (parked) VALUES (NEW.parked); RETURN NULL; END$$;"
              "CREATE TRIGGER see AFTER UPDATE ON saga FOR EACH ROW"
              "  WHEN (OLD.parked <> NEW.parked) EXECUTE FUNCTION see()");
    struct life *next = life_begin_beside(here, "order-0");
    life_keep(next);
    await_number(here, 2, "SELECT count(*) FROM seen");
    cr_assert_eq(life_number(here, "SELECT count(*) FROM seen WHERE parked = (id = 2)"), 2);
    shop_speak(here->shop, "ReleaseStock");
    retry(next, as_admin(), only_saga(next)->id); // unless it was just being asked for
    await_number(here, 1, "SELECT count(*) FROM saga WHERE state = 2 AND NOT parked");
    life_end(next);
    life_end(here);
}

Test(order_recovery, who_waits_where_the_saga_was_lost_gets_the_outcome_that_another_stored)
{
    struct life *here = life_begin();
    shop_silence(here->shop, "DebitWallet", 0);
    int64_t id = given_order(here, ALICE);
    struct asked *waiting = start_pay(here, as_user_with_key(ALICE, "k"), id, 0, 2000);
    await_status(here, id, STATUS(PAYING));
    struct life *other = life_begin_beside(here, "order-1");
    life_pass_time(other, 10001);
    life_keep(other);
    shop_speak(here->shop, "DebitWallet");
    await_status(other, id, STATUS(PENDING));
    expect_refused(rig_await(waiting), REASON_INSUFFICIENT_BALANCE);
    life_end(other);
    life_end(here);
}

Test(order_recovery, an_end_that_the_order_refuses_is_parked_until_the_order_is_mended)
{
    struct life *here = life_begin();
    int64_t id = given_stuck_payment(here, "ConfirmStock", 0);
    run(here, "UPDATE orders SET status = 10");
    shop_speak(here->shop, "ConfirmStock");
    await_number(here, 1, "SELECT count(*) FROM saga WHERE parked AND state = 0");
    cr_assert(only_saga(here)->parked);

    run(here, "UPDATE orders SET status = 2");
    reply_of(retry(here, as_admin(), only_saga(here)->id));
    await_status(here, id, STATUS(PAID));
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE state = 2 AND NOT parked"), 1);
    cr_assert_eq(shop_balance(here->shop, ALICE), 3000);
    life_end(here);
}

// A step is asked for once more when its saga has been recorded as parked. Until no such call comes any
// more, what goes on may have gone on by itself.
static void await_no_more_calls(struct life *here, const char *method)
{
    for (int before = -1, calls; (calls = shop_calls(here->shop, method)) != before; before = calls)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

Test(order_recovery, a_parked_step_is_visible_and_goes_on_by_hand)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    shop_silence(here->shop, "ReleaseStock", 0);
    expect_order(cancel(here, as_user(ALICE), id), STATUS(CANCELLED));
    await_number(here, 1, "SELECT count(*) FROM saga WHERE parked AND step = 'release_stock'");

    const Baro__Order__SagaView *saga = only_saga(here);
    cr_assert_eq(saga->order_id, id);
    cr_assert(saga->parked);
    cr_assert_str_eq(saga->state, "RUNNING");
    cr_assert_eq(saga->n_steps, 1);
    Baro__Order__ListSagasRequest list;
    baro__order__list_sagas_request__init(&list);
    list.parked = true;
    const Baro__Order__SagaPage *page = reply_of(ask(here, "ListSagas", as_admin(), &list.base));
    cr_assert_eq(page->n_items, 1);

    expect_refused(retry(here, as_user(ALICE), saga->id), REASON_FORBIDDEN);
    await_no_more_calls(here, "ReleaseStock");
    shop_speak(here->shop, "ReleaseStock");
    struct as keyed = as_admin();
    keyed.key = "k";
    reply_of(retry(here, keyed, saga->id));
    await_number(here, 1, "SELECT count(*) FROM saga WHERE state = 2 AND NOT parked");
    cr_assert_eq(shop_hold_of(here->shop, id), SHOP_RELEASED);
    expect_refused(retry(here, as_admin(), saga->id), REASON_ILLEGAL_TRANSITION);
    reply_of(retry(here, keyed, saga->id)); // the first answer again
    expect_refused(retry(here, keyed, saga->id + 1), REASON_IDEMPOTENCY_KEY_REUSED);
    page = reply_of(ask(here, "ListSagas", as_admin(), &list.base));
    cr_assert_eq(page->n_items, 0);
    life_end(here);
}
