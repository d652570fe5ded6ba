// The barrier through the real dispatcher, on a real server.

#include "lib/saga/barrier.h"

#include "lib/base/protobuf.h"
#include "tests/integration/lib/guarded.h"
#include "tests/support/saga_ids.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *url;
static struct dispatcher *dispatcher;
static struct stand_desk *desk;
static struct stand_gate gate;
static int answers;

static const struct method ECHO = {.name = "Echo",
                                   .kind = METHOD_WRITE,
                                   .access = ACCESS_ANYBODY,
                                   .guard = &barrier_guard,
                                   .handle = guarded_echo};

static void given_participant(void)
{
    url = guarded_database("barrier");
    dispatcher = guarded_dispatcher(url, &ECHO, 1);
    desk = stand_desk_create();
}

static void end_participant(void)
{
    dispatcher_drain(dispatcher, 5000);
    dispatcher_destroy(dispatcher);
    free(desk);
}

TestSuite(barrier_guard, .init = given_participant, .fini = end_participant, .timeout = 100);

static const char *step_name = "echo";
static int days_ago; // that the sagas began

static void submit(struct dispatcher *to, size_t place, int64_t saga_id, bool compensation,
                   const char *text)
{
    SCOPED(arena) *arena = arena_create();
    Baro__RpcRequest envelope;
    Baro__SagaStep step;
    baro__saga_step__init(&step);
    step.saga_id = saga_begun(saga_id, days_ago);
    step.step = protobuf_text(step_name);
    step.compensation = compensation;
    baro__rpc_request__init(&envelope);
    envelope.method = protobuf_text(STAND_METHOD);
    envelope.timeout_ms = 20000;
    envelope.role = CALLER_SERVICE;
    envelope.saga = &step;
    envelope.payload.data =
        protobuf_pack(&stand_text(arena, text)->base, arena, &envelope.payload.len);
    dispatcher_submit(to, &envelope, &desk->responder, &desk->places[place]);
}

static const struct stand_answer *ask(int64_t saga_id, bool compensation, const char *text)
{
    size_t place = (size_t)answers % STAND_DESK_SIZE;
    submit(dispatcher, place, saga_id, compensation, text);
    cr_assert(stand_answered(desk, ++answers));
    return &desk->places[place];
}

static int64_t effects(bool compensation)
{
    return test_number(url, compensation ? "SELECT count(*) FROM effect WHERE compensation = 1"
                                         : "SELECT count(*) FROM effect WHERE compensation = 0");
}

static void expect_answer(const struct stand_answer *answer, bool compensation, bool compensated)
{
    if (compensation || !compensated)
        cr_assert_eq(answer->code, STATUS_OK);
    else
        cr_assert_eq(answer->reason, REASON_STEP_COMPENSATED);
}

// One order of copies: bit i of `order` says whether copy i is a compensation.
static void deliver_in_order(int64_t saga_id, unsigned order, int copies)
{
    bool compensated = false;
    for (int i = 0; i < copies; i++) {
        bool compensation = order >> i & 1;
        compensated = compensated || compensation;
        expect_answer(ask(saga_id, compensation, "hello"), compensation, compensated);
    }
}

Test(barrier_guard, up_to_three_actions_and_compensations_in_any_order_are_once_or_undone)
{
    int64_t saga_id = 0;
    for (int copies = 1; copies <= 6; copies++)
        for (unsigned order = 0; order < 1U << copies; order++) {
            int compensations = __builtin_popcount(order);
            if (compensations <= 3 && copies - compensations <= 3)
                deliver_in_order(++saga_id, order, copies);
        }
    cr_expect_geq(saga_id, 68);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM (SELECT saga_id FROM effect"
                                  " GROUP BY saga_id, compensation HAVING count(*) > 1) AS twice"),
                 0);
    cr_expect_eq(test_number(url,
                             "SELECT count(*) FROM effect AS e JOIN barrier AS b"
                             " USING (saga_id) WHERE b.op = 1 AND e.compensation = 0"
                             " AND NOT EXISTS (SELECT FROM effect AS u WHERE u.compensation = 1"
                             "                 AND u.saga_id = e.saga_id)"),
                 0, "a compensated saga has an effect that was not undone");
}

Test(barrier_guard, a_copy_gets_the_stored_reply)
{
    ask(1, false, "hello");
    cr_expect_str_eq(ask(1, false, "hello")->text, "hello");
    cr_expect_eq(effects(false), 1);
}

Test(barrier_guard, a_refusal_is_kept_and_its_compensation_does_nothing)
{
    ask(1, false, "refused");
    const struct stand_answer *copy = ask(1, false, "refused");
    cr_expect_eq(copy->reason, REASON_INSUFFICIENT_STOCK);
    cr_expect_str_eq(copy->text, "Nothing is left.");
    cr_expect_eq(effects(false), 1);
    cr_expect_eq(ask(1, true, "hello")->code, STATUS_OK);
    cr_expect_eq(effects(true), 0);
    cr_expect_eq(ask(1, false, "refused")->reason, REASON_INSUFFICIENT_STOCK);
}

Test(barrier_guard, a_saga_that_is_older_than_its_rows_is_left_to_the_handlers)
{
    days_ago = 8;
    cr_expect_eq(ask(1, true, "hello")->code, STATUS_OK);
    cr_expect_eq(effects(true), 1, "what was done may be forgotten, not undone");
    cr_expect_eq(ask(1, true, "hello")->code, STATUS_OK);
    cr_expect_eq(effects(true), 1);
    cr_expect_eq(ask(1, false, "hello")->reason, REASON_STEP_COMPENSATED);
    cr_expect_eq(ask(2, false, "hello")->code, STATUS_OK);
    cr_expect_eq(ask(2, false, "hello")->code, STATUS_OK);
    cr_expect_eq(effects(false), 1);
}

Test(barrier_guard, faults_and_refused_compensations_are_not_kept)
{
    ask(1, false, "broken");
    cr_expect_str_eq(ask(1, false, "hello")->text, "hello");
    cr_expect_eq(ask(1, true, "refused")->reason, REASON_INSUFFICIENT_STOCK);
    cr_expect_eq(ask(1, true, "hello")->code, STATUS_OK);
    cr_expect_eq(effects(true), 2);
}

Test(barrier_guard, steps_and_sagas_are_told_apart)
{
    ask(1, false, "hello");
    ask(2, false, "hello");
    cr_expect_eq(effects(false), 2);
    ask(1, true, "hello");
    cr_expect_eq(ask(2, false, "hello")->code, STATUS_OK);
}

Test(barrier_guard, steps_of_one_saga_in_one_batch_are_told_apart)
{
    ask(1, false, "hello");
    guarded_gate = &gate;
    stand_submit(dispatcher, desk, 1, "first", "", 5000);
    cr_assert(stand_held(&gate));
    submit(dispatcher, 2, 1, false, "again");
    step_name = "other";
    submit(dispatcher, 3, 1, false, "new");
    step_name = "another";
    submit(dispatcher, 4, 1, false, "newer");
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 5));
    cr_expect_str_eq(desk->places[2].text, "hello", "as it was stored");
    cr_expect_str_eq(desk->places[3].text, "new");
    cr_expect_str_eq(desk->places[4].text, "newer");
    cr_expect_eq(test_number(url, "SELECT count(*) FROM barrier"), 3);
}

Test(barrier_guard, nothing_runs_that_cannot_be_looked_up_or_barred)
{
    SCOPED(db) *db = db_create(url, "test");
    test_script(db, "ALTER TABLE barrier RENAME TO hidden");
    cr_expect_neq(ask(1, false, "hello")->code, STATUS_OK);
    cr_expect_neq(ask(2, true, "hello")->code, STATUS_OK);
    cr_expect_eq(effects(false) + effects(true), 0);
    test_script(db, "ALTER TABLE hidden RENAME TO barrier");
    cr_expect_eq(ask(1, false, "hello")->code, STATUS_OK);
}

Test(barrier_guard, calls_outside_sagas_pass)
{
    stand_submit(dispatcher, desk, 0, "hello", "", 5000);
    stand_submit(dispatcher, desk, 1, "hello", "", 5000);
    cr_assert(stand_answered(desk, 2));
    cr_expect_eq(effects(false), 2);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM barrier"), 0);
}

Test(barrier_guard, copies_in_one_batch_run_once_and_share_the_answer)
{
    guarded_gate = &gate;
    stand_submit(dispatcher, desk, 0, "first", "", 5000);
    cr_assert(stand_held(&gate));
    for (size_t i = 1; i <= 3; i++) {
        submit(dispatcher, i, 1, false, "hello");
        submit(dispatcher, 10 + i, 2, false, "refused");
        submit(dispatcher, 20 + i, 3, true, "hello");
    }
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 10));
    for (size_t i = 1; i <= 3; i++) {
        cr_expect_str_eq(desk->places[i].text, "hello");
        cr_expect_eq(desk->places[10 + i].reason, REASON_INSUFFICIENT_STOCK);
        cr_expect_eq(desk->places[20 + i].code, STATUS_OK);
    }
    cr_expect_eq(test_number(url, "SELECT count(*) FROM effect WHERE saga_id > 0"), 2);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM barrier"), 4);
}

Test(barrier_guard, an_action_that_its_compensation_overtakes_leaves_nothing)
{
    struct dispatcher *other = guarded_dispatcher(url, &ECHO, 1);
    guarded_gate = &gate;
    submit(dispatcher, 0, 1, false, "hello");
    cr_assert(stand_held(&gate)); // it was admitted: the barrier had no row
    submit(other, 1, 1, true, "hello");
    cr_assert(stand_answered(desk, 1));
    cr_expect_eq(desk->places[1].code, STATUS_OK);
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 2));
    cr_expect_eq(desk->places[0].reason, REASON_STEP_COMPENSATED);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM effect"), 0);
    dispatcher_drain(other, 5000);
    dispatcher_destroy(other);
}

Test(barrier_guard, racing_replicas_leave_every_saga_once_or_undone)
{
    enum { SAGAS = 100, COPIES = 5 };
    struct dispatcher *replicas[] = {dispatcher, guarded_dispatcher(url, &ECHO, 2)};
    unsigned seed = 11;
    for (int copy = 0; copy < COPIES; copy++)
        for (int64_t saga_id = 1; saga_id <= SAGAS; saga_id++) {
            bool compensation = saga_id % 2 == 0 && rand_r(&seed) % 2;
            submit(replicas[rand_r(&seed) % 2], (size_t)answers, saga_id, compensation, "hello");
            answers++;
        }
    cr_assert(stand_answered(desk, answers));
    cr_expect_eq(test_number(url, "SELECT count(*) FROM (SELECT saga_id FROM effect"
                                  " GROUP BY saga_id, compensation HAVING count(*) > 1) AS twice"),
                 0);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM barrier AS b WHERE op = 1 AND"
                                  " (SELECT count(*) FROM effect AS e WHERE e.saga_id = b.saga_id"
                                  "  AND compensation = 0) <>"
                                  " (SELECT count(*) FROM effect AS e WHERE e.saga_id = b.saga_id"
                                  "  AND compensation = 1)"),
                 0);
    cr_expect_geq(effects(false), SAGAS / 2);
    dispatcher_drain(replicas[1], 5000);
    dispatcher_destroy(replicas[1]);
}

Test(barrier_guard, rows_are_pruned_after_their_time_some_at_a_time)
{
    SCOPED(db) *db = db_create(url, "test");
    int64_t deleted;
    for (int64_t saga_id = 1; saga_id <= 5; saga_id++)
        ask(saga_id, false, "hello");
    cr_assert(!failed(barrier_prune(db, 3600 * 1000, 100, &deleted)));
    cr_expect_eq(deleted, 0);
    guarded_advance(url, 2 * 3600);
    cr_assert(!failed(barrier_prune(db, 3600 * 1000, 3, &deleted)));
    cr_expect_eq(deleted, 3);
    cr_assert(!failed(barrier_prune(db, 3600 * 1000, 3, &deleted)));
    cr_expect_eq(deleted, 2);
}
