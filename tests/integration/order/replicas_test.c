// Three replicas as processes of their own, at one job, and one of them is killed in the middle of it:
// each order is expired, recovered and given back once all the same, without any lock between them.

#include "tests/integration/order/life.h"
#include "tests/support/database.h"
#include "tests/support/replicas.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name

enum { REPLICAS = 3, USERS = 40, EXPIRING = 450, OPTIONS = 80, LEASE_MS = 10000 };

// What the test and its replicas share.
struct common {
    struct life_place place;
    char jobs[64]; // that they run, and no other
};

static struct replica open_replica(size_t index, void *shared)
{
    static const char *const NAMES[REPLICAS] = {"order-1", "order-2", "order-3"};
    static struct job jobs[ORDER_JOB_COUNT];
    struct common *common = shared;
    struct life *life = life_begin_apart(&common->place, NAMES[index]);
    order_jobs_init(&life->settings, jobs);
    return (struct replica){common->place.url, &life->service, jobs, COUNT(jobs), common->jobs};
}

static struct replicas *given_replicas(void)
{
    return replicas_fork(REPLICAS, open_replica, sizeof(struct common));
}

static void start(struct replicas *replicas, const struct life *here, const char *jobs)
{
    struct common *common = replicas_shared(replicas);
    common->place = here->place;
    snprintf(common->jobs, sizeof(common->jobs), "%s", jobs);
    replicas_go(replicas);
}

static int64_t with_status(const struct life *here, int status)
{
    return life_number(here, "SELECT count(*) FROM orders WHERE status = %d", status);
}

// Every order has this change of status once.
static void expect_each_once(const struct life *here, int status, int64_t orders)
{
    cr_assert_eq(with_status(here, status), orders);
    cr_assert_eq(life_number(here,
                             "SELECT count(*) FROM orders o WHERE 1 <> (SELECT count(*)"
                             " FROM order_history h WHERE h.order_id = o.id AND h.status = %d)",
                             status),
                 0);
    cr_assert_eq(life_number(here,
                             "SELECT count(*) FROM outbox WHERE (SELECT count(*) FROM order_history"
                             " WHERE order_id = key) <> (SELECT count(*) FROM outbox o"
                             " WHERE o.key = outbox.key)"),
                 0, "an event for each change");
}

static void expect_all_stock_back(struct life *here)
{
    for (int64_t option = 1; option <= OPTIONS; option++)
        cr_assert_eq(shop_available(here->shop, option), SHOP_STOCK, "option %" PRId64, option);
}

static void given_pending(struct life *here, int count)
{
    static struct asked *asked[EXPIRING];
    SCOPED(arena) *arena = arena_create();
    for (int i = 0; i < count; i++)
        asked[i] = rig_start(here->rig, "PlaceOrder", as_user(1 + i % USERS),
                             &order_request(arena, 1 + i % OPTIONS, 1, 0)->base);
    for (int i = 0; i < count; i++)
        reply_of(rig_await(asked[i]));
}

// `cut`: all die, and their machines with them, so that nothing of what they were at is done.
static void expire_with_a_death(bool cut)
{
    struct replicas *replicas = given_replicas();
    struct life *here = life_begin();
    given_pending(here, EXPIRING);
    life_pass_time(here, 600001);
    struct gate *gate = gate_close(here->place.url, "order_history", "INSERT");
    start(replicas, here, "expire_orders keep_sagas");
    gate_await(gate, REPLICAS); // 200, 200 and 50 orders
    for (size_t i = 0; i < (cut ? REPLICAS : 1); i++)
        replicas_kill(replicas, i);
    if (cut)
        gate_cut(gate);
    gate_open(gate);
    if (cut) {
        cr_assert_eq(with_status(here, STATUS(PENDING)), EXPIRING);
        life_expire(here);
    } else {
        await_number(here, EXPIRING, "SELECT count(*) FROM orders WHERE status = 9");
        life_pass_time(here, LEASE_MS + 1); // of the sagas that the dead one had begun
    }
    await_number(here, EXPIRING, "SELECT count(*) FROM saga WHERE kind = 'release' AND state = 2");
    replicas_end(replicas);
    expect_each_once(here, STATUS(EXPIRED), EXPIRING);
    cr_assert_eq(life_number(here, "SELECT count(DISTINCT order_id) FROM saga"), EXPIRING);
    expect_all_stock_back(here);
    life_end(here);
}

Test(order_replicas, expire_each_order_once_though_one_is_killed_at_it)
{
    expire_with_a_death(false);
}

Test(order_replicas, that_die_expiring_orders_with_their_machines_leave_them_to_who_comes)
{
    expire_with_a_death(true);
}

// Payments whose orchestrator dies while they stand still at the wallet.
static int64_t given_orphans(struct life *here, int64_t *ids)
{
    for (int i = 0; i < USERS; i++)
        shop_set_balance(here->shop, 1 + i, 5000);
    shop_silence(here->shop, "DebitWallet", 0);
    for (int i = 0; i < USERS; i++) {
        ids[i] = given_order(here, 1 + i);
        reply_of(rig_await(start_pay(here, as_user(1 + i), ids[i], 0, 0)));
    }
    life_kill(here);
    return USERS;
}

static int64_t sagas_of(const struct life *here, int replica)
{
    return life_number(
        here, "SELECT count(*) FROM saga WHERE state < 2 AND owner LIKE 'order-%d#%%'", replica);
}

// The one that has taken most of them over.
static int keeper(const struct life *here)
{
    int keeper = 1;
    for (int i = 2; i <= REPLICAS; i++)
        if (sagas_of(here, i) > sagas_of(here, keeper))
            keeper = i;
    return keeper;
}

// Who takes the payments over is killed as well; the third orchestrator must end each of them once.
static void recover_with_a_death(bool service_comes_back)
{
    int64_t ids[USERS];
    struct replicas *replicas = given_replicas();
    struct life *here = life_begin();
    given_orphans(here, ids);
    here->place.patience = service_comes_back ? PATIENT : GIVES_UP_EARLY; // of who comes after it
    life_pass_time(here, LEASE_MS + 1);
    start(replicas, here, "keep_sagas");
    await_number(here, USERS, "SELECT count(*) FROM saga WHERE owner NOT LIKE 'order-0#%'");
    int dead = keeper(here);
    replicas_kill(replicas, (size_t)dead - 1);
    if (service_comes_back)
        shop_speak(here->shop, "DebitWallet");
    life_pass_time(here, LEASE_MS + 1);
    await_number(here, USERS, "SELECT count(*) FROM saga WHERE state >= 2");
    replicas_end(replicas);

    int end = service_comes_back ? STATUS(PAID) : STATUS(CANCELLED);
    expect_each_once(here, end, USERS);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM payment WHERE status = %d",
                             service_comes_back ? 3 : 4),
                 USERS);
    for (int i = 0; i < USERS; i++)
        cr_assert_eq(shop_balance(here->shop, 1 + i), service_comes_back ? 3000 : 5000);
    cr_assert_eq(shop_available(here->shop, 1),
                 service_comes_back ? SHOP_STOCK - 2 * USERS : SHOP_STOCK);
    life_end(here);
}

Test(order_replicas, roll_each_payment_forward_once_though_who_recovers_it_is_killed)
{
    recover_with_a_death(true);
}

Test(order_replicas, give_each_payment_up_once_though_who_recovers_it_is_killed)
{
    recover_with_a_death(false);
}

Test(order_replicas, make_partitions_side_by_side_once_each)
{
    struct replicas *replicas = given_replicas();
    struct life *here = life_begin();
    SCOPED(db) *db = db_create(here->place.url, "test");
    test_script(db, "CREATE FUNCTION months_ahead() RETURNS bigint LANGUAGE sql AS"
                    " $$SELECT count(*) FROM pg_inherits WHERE inhparent IN ('orders'::regclass,"
                    " 'order_item'::regclass, 'order_history'::regclass, 'payment'::regclass,"
                    " 'payment_history'::regclass)$$");
    start(replicas, here, "make_partitions");
    for (int64_t months = 3; months <= 12; months += 3) {
        char interval[32];
        snprintf(interval, sizeof(interval), "%d months", (int)months);
        rig_shift_clock(here->rig, interval);
        replicas_await_round(replicas);
        cr_assert_eq(life_number(here, "SELECT months_ahead()"), 5 * (1 + 3 + months));
        if (months == 6)
            replicas_kill(replicas, 2);
    }
    replicas_end(replicas);
    life_end(here);
}

Test(order_replicas, forget_side_by_side_what_is_old_and_nothing_else)
{
    struct replicas *replicas = given_replicas();
    struct life *here = life_begin();
    SCOPED(db) *db = db_create(here->place.url, "test");
    test_script(db, "INSERT INTO outbox (kind, key, occurred_at, payload, txid)"
                    " SELECT 'order.paid', n, baro_now() - interval '8 days', ''::bytea, '0'::xid8"
                    " FROM generate_series(1, 20000) n");
    int64_t id = given_order(here, 1);
    expect_order(cancel(here, as_user(1), id), STATUS(CANCELLED));
    await_number(here, 1, "SELECT count(*) FROM saga WHERE state = 2");
    test_script(db, "INSERT INTO saga SELECT (jsonb_populate_record(saga, jsonb_build_object("
                    "  'id', n, 'state', CASE WHEN n <= 20 THEN 1 ELSE 2 END,"
                    "  'updated_at', updated_at - interval '31 days'))).*"
                    " FROM saga, generate_series(1, 20020) n");
    start(replicas, here, "prune_sagas prune_outbox");
    await_number(here, 1 + 20, "SELECT count(*) FROM saga");
    await_number(here, 2, "SELECT count(*) FROM outbox");
    replicas_kill(replicas, 0);
    replicas_await_round(replicas);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM saga WHERE state < 2"), 20);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM orders"), 1, "orders are kept for ever");
    replicas_end(replicas);
    life_end(here);
}

static void *open_gate(void *gate)
{
    gate_open(gate);
    return NULL;
}

// The tests' own gate: whoever has locked the table may still go on to its partitions.
Test(order_replicas, pass_a_gate_that_opens_while_they_are_on_their_way)
{
    struct life *here = life_begin();
    SCOPED(db) *db = rig_db(here->rig);
    pthread_t thread;
    struct gate *gate = gate_close(here->place.url, "order_history", "INSERT");
    test_script(db, "BEGIN; LOCK TABLE ONLY order_history IN ROW EXCLUSIVE MODE");
    cr_assert_eq(pthread_create(&thread, NULL, open_gate, gate), 0);
    rig_await_blocked(here->rig, 1);
    test_script(db, "SELECT count(*) FROM order_history; COMMIT");
    pthread_join(thread, NULL);
    life_end(here);
}
