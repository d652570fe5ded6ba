// The dispatcher's batches: what shares a transaction, and what happens when one fails.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand_store store;
static struct stand_gate gate;
static atomic_int largest_batch, batches, handled, poisoned_runs;

static struct status count_and_echo(struct batch *batch)
{
    atomic_fetch_add(&batches, 1);
    atomic_fetch_add(&handled, (int)batch->count);
    if ((int)batch->count > atomic_load(&largest_batch))
        atomic_store(&largest_batch, (int)batch->count);
    return stand_echo(batch);
}

// "hold" waits at the gate, so that what comes behind it piles up.
static struct status hold_or_echo(struct batch *batch)
{
    if (strcmp(stand_value(batch->calls[0]), "hold") == 0) {
        stand_pass(&gate);
        return stand_echo(batch);
    }
    return count_and_echo(batch);
}

static struct status spoil_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (strcmp(stand_value(batch->calls[i]), "poison") == 0) {
            atomic_fetch_add(&poisoned_runs, 1);
            return refuse(REASON_INTERNAL, "spoiled");
        }
    return hold_or_echo(batch);
}

// Submits "hold" to place 0 and waits until the one write worker is held by it.
static void hold_the_worker(struct dispatcher *dispatcher, struct stand_desk *desk)
{
    stand_submit(dispatcher, desk, 0, "hold", NULL, 5000);
    cr_assert(stand_held(&gate));
}

static void submit_numbers(struct dispatcher *dispatcher, struct stand_desk *desk, int from, int to)
{
    for (int i = from; i <= to; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        stand_submit(dispatcher, desk, (size_t)i, text, NULL, 5000);
    }
}

Test(dispatcher, runs_all_that_waits_in_one_transaction)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, hold_or_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    hold_the_worker(dispatcher, desk);
    submit_numbers(dispatcher, desk, 1, 200);
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 201));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(atomic_load(&largest_batch), 200);
    cr_expect_eq(atomic_load(&store.commits), 2);
    cr_expect_eq(atomic_load(&desk->flushes), 2);
    cr_expect_str_eq(desk->places[137].text, "137");
}

static int64_t counted(const char *name, const char *labels)
{
    return metric_value(metrics_counter(name, "", labels));
}

Test(dispatcher, counts_calls_batches_and_waits_by_method)
{
    static const char method[] = "method=\"" STAND_METHOD "\"";
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, spoil_batch};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    hold_the_worker(dispatcher, desk);
    submit_numbers(dispatcher, desk, 1, 10);
    stand_submit(dispatcher, desk, 11, "poison", NULL, 5000);
    cr_expect_eq(metric_value(metrics_gauge("baro_queue_depth", "", method)), 11);
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 12));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(metric_value(metrics_gauge("baro_queue_depth", "", method)), 0);
    cr_expect_eq(metric_value(metrics_size("baro_batch_size", "", method)), 2);
    cr_expect_eq(metric_value(metrics_duration("baro_queue_wait_seconds", "", method)), 12);
    cr_expect_eq(metric_value(metrics_duration("baro_rpc_handling_seconds", "", method)), 12);
    cr_expect_eq(counted("baro_rpc_calls_total", "method=\"" STAND_METHOD "\",code=\"OK\""), 11);
    cr_expect_eq(counted("baro_rpc_calls_total", "method=\"" STAND_METHOD "\",code=\"INTERNAL\""),
                 1);
}

Test(dispatcher, takes_no_more_than_the_batch_size_at_once)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, hold_or_echo,
                                .batch_max = 16};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    hold_the_worker(dispatcher, desk);
    submit_numbers(dispatcher, desk, 1, 40);
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 41));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(atomic_load(&largest_batch), 16);
    cr_expect_eq(atomic_load(&batches), 3);
}

Test(dispatcher, lets_a_poisoned_call_fail_alone_among_255_good_ones)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, spoil_batch};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    hold_the_worker(dispatcher, desk);
    submit_numbers(dispatcher, desk, 1, 100);
    stand_submit(dispatcher, desk, 101, "poison", NULL, 5000);
    submit_numbers(dispatcher, desk, 102, 256);
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 257));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(desk->places[101].code, STATUS_INTERNAL);
    cr_expect_str_eq(desk->places[101].text, "spoiled");
    for (int i = 0; i <= 256; i++) {
        cr_expect_eq(atomic_load(&desk->places[i].times), 1);
        cr_expect(i == 101 || desk->places[i].code == STATUS_OK);
    }
    cr_expect_eq(atomic_load(&poisoned_runs), 9); // 256, 128 .. 1
    cr_expect_eq(atomic_load(&store.rollbacks), 9);
}

static struct status abort_twice(struct stand_store *self)
{
    return atomic_load(&self->rollbacks) < 2 ? refuse(REASON_CONFLICT, "lost a race") : OK;
}

Test(dispatcher, runs_a_batch_again_that_lost_a_race)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, count_and_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    store.commit = abort_twice;
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    stand_submit(dispatcher, desk, 0, "again", NULL, 5000);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(desk->places[0].code, STATUS_OK);
    cr_expect_str_eq(desk->places[0].text, "again");
    cr_expect_eq(atomic_load(&batches), 3);
    cr_expect_eq(atomic_load(&store.commits), 1);
}

static struct status always_abort(struct stand_store *self)
{
    (void)self;
    return refuse(REASON_CONFLICT, "lost a race");
}

Test(dispatcher, gives_a_race_up_after_five_more_runs)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, count_and_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    store.commit = always_abort;
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    stand_submit(dispatcher, desk, 0, "again", NULL, 5000);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(desk->places[0].code, STATUS_ABORTED);
    cr_expect_eq(desk->places[0].reason, REASON_CONFLICT);
    cr_expect_eq(atomic_load(&batches), 6);
}

static struct status lose_connection(struct stand_store *self)
{
    (void)self;
    return refuse(REASON_UNAVAILABLE, "the server closed the connection");
}

static struct status lose_answer_of_commit(struct stand_store *self)
{
    (void)self;
    return refuse(REASON_OUTCOME_UNKNOWN, "the connection was lost in COMMIT");
}

static const struct {
    struct status (*commit)(struct stand_store *);
    enum reason reason;
} lost_commits[] = {
    {lose_connection,       REASON_UNAVAILABLE    },
    {lose_answer_of_commit, REASON_OUTCOME_UNKNOWN},
};

Test(dispatcher, answers_unavailable_to_the_whole_batch_when_the_store_is_lost)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, hold_or_echo};
    for (size_t row = 0; row < COUNT(lost_commits); row++) {
        SCOPED(stand_desk) *desk = stand_desk_create();
        atomic_store(&gate.open, false);
        atomic_store(&batches, 0);
        store.commit = NULL;
        struct dispatcher *dispatcher =
            stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
        hold_the_worker(dispatcher, desk);
        submit_numbers(dispatcher, desk, 1, 10);
        store.commit = lost_commits[row].commit;
        atomic_store(&gate.open, true);
        cr_assert(stand_answered(desk, 11));
        dispatcher_destroy(dispatcher);
        cr_expect_eq(atomic_load(&batches), 1, "it is not run again");
        for (int i = 1; i <= 10; i++) {
            cr_expect_eq(desk->places[i].code, STATUS_UNAVAILABLE);
            cr_expect_eq(desk->places[i].reason, lost_commits[row].reason);
        }
    }
}

Test(dispatcher, refuses_at_once_when_the_queue_is_full)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, hold_or_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher =
        stand_dispatcher(&echo, &store, (struct dispatcher_options){.queue_max = 8});
    hold_the_worker(dispatcher, desk);
    submit_numbers(dispatcher, desk, 1, 8);
    cr_expect_eq(atomic_load(&desk->answers), 0);
    submit_numbers(dispatcher, desk, 9, 9);
    cr_expect_eq(atomic_load(&desk->places[9].times), 1, "answered while the worker is held");
    cr_expect_eq(desk->places[9].code, STATUS_RESOURCE_EXHAUSTED);
    cr_expect_eq(desk->places[9].reason, REASON_OVERLOADED);
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 10));
    submit_numbers(dispatcher, desk, 10, 10);
    cr_assert(stand_answered(desk, 11));
    cr_expect_eq(desk->places[10].code, STATUS_OK, "there is room again");
    dispatcher_destroy(dispatcher);
}

static void note_outcome(void *arg, const struct call *call)
{
    atomic_int *code = arg;
    cr_expect(call->request, "whoever asked may look at what he asked");
    atomic_store(code, (int)call->status.code);
}

static bool has_outcome(void *arg)
{
    return atomic_load((atomic_int *)arg) >= 0;
}

Test(dispatcher, takes_calls_of_its_own_service_into_a_full_queue)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, hold_or_echo};
    SCOPED(arena) *arena = arena_create();
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher =
        stand_dispatcher(&echo, &store, (struct dispatcher_options){.queue_max = 2});
    atomic_int code = -1;
    hold_the_worker(dispatcher, desk);
    submit_numbers(dispatcher, desk, 1, 2);
    dispatcher_run(dispatcher, STAND_METHOD, &stand_text(arena, "own")->base, NULL, 5000,
                   note_outcome, &code);
    atomic_store(&gate.open, true);
    cr_assert(stand_wait(has_outcome, &code, 5000));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(atomic_load(&code), STATUS_OK);
}

static bool millisecond_has_passed(void *until_us)
{
    return clock_monotonic_us() > *(int64_t *)until_us;
}

Test(dispatcher, drops_a_call_whose_time_is_over_before_it_costs_a_query)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, hold_or_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    hold_the_worker(dispatcher, desk);
    stand_submit(dispatcher, desk, 1, "late", NULL, 1);
    int64_t until_us = clock_monotonic_us() + 2 * US_PER_MS;
    cr_assert(stand_wait(millisecond_has_passed, &until_us, 1000));
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 2));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(desk->places[1].code, STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(atomic_load(&store.begins), 1);
}

static struct status forget(struct batch *batch)
{
    (void)batch;
    return OK;
}

Test(dispatcher, answers_internal_for_a_call_that_the_handler_forgot)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, forget};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    stand_submit(dispatcher, desk, 0, "x", NULL, 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(desk->places[0].code, STATUS_INTERNAL);
}

Test(dispatcher, refuses_the_callers_that_the_row_does_not_admit_and_runs_the_others)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_USER, hold_or_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    stand_submit_as(dispatcher, desk, 0, "hold", CALLER_USER);
    cr_assert(stand_held(&gate));
    stand_submit_as(dispatcher, desk, 1, "a", CALLER_USER);
    stand_submit_as(dispatcher, desk, 2, "b", CALLER_NOBODY);
    stand_submit_as(dispatcher, desk, 3, "c", CALLER_SERVICE);
    stand_submit_as(dispatcher, desk, 4, "d", CALLER_ADMIN);
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 5));
    cr_expect_eq(atomic_load(&batches), 1);
    stand_submit_as(dispatcher, desk, 5, "e", CALLER_NOBODY);
    cr_assert(stand_answered(desk, 6));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(atomic_load(&batches), 1, "a batch of strangers does not come to the handler");
    cr_expect_str_eq(desk->places[1].text, "a");
    cr_expect_eq(desk->places[2].reason, REASON_UNAUTHENTICATED);
    cr_expect_eq(desk->places[3].reason, REASON_FORBIDDEN);
    cr_expect_str_eq(desk->places[4].text, "d");
    cr_expect_eq(desk->places[5].reason, REASON_UNAUTHENTICATED);
}

Test(dispatcher, refuses_unknown_methods_and_malformed_payloads_at_once)
{
    const struct method echo = {"Echo", METHOD_READ, ACCESS_ANYBODY, stand_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    static char unknown[] = "test.Stand/Nothing", known[] = STAND_METHOD;
    static uint8_t bytes[] = {0x0a, 0x05, 'x'};
    Baro__RpcRequest envelope;
    baro__rpc_request__init(&envelope);
    envelope.method = unknown;
    dispatcher_submit(dispatcher, &envelope, &desk->responder, &desk->places[0]);
    envelope.method = known;
    envelope.payload = (ProtobufCBinaryData){sizeof(bytes), bytes};
    dispatcher_submit(dispatcher, &envelope, &desk->responder, &desk->places[1]);
    cr_expect_eq(atomic_load(&desk->answers), 2);
    cr_expect_eq(desk->places[0].code, STATUS_UNIMPLEMENTED);
    cr_expect_eq(desk->places[1].reason, REASON_VALIDATION_ERROR);
    dispatcher_destroy(dispatcher);
}

Test(dispatcher, names_the_row_that_is_wrong)
{
    const struct dispatcher_options options = {.transaction = &stand_transaction};
    const struct method wrong = {"Ekko", METHOD_READ, ACCESS_ANYBODY, stand_echo};
    const struct method nobodys = {.name = "Echo", .handle = stand_echo};
    const struct method idle = {"Echo", METHOD_READ, ACCESS_ANYBODY};
    const struct method_table tables[] = {
        {&stand_service, &wrong,   1},
        {&stand_service, NULL,     0},
        {&stand_service, &nobodys, 1},
        {&stand_service, &idle,    1},
    };
    static const char *const words[] = {"test.Stand/Ekko", "test.Stand/Echo",
                                        "test.Stand/Echo: nobody may call it",
                                        "test.Stand/Echo: no handler"};
    for (size_t i = 0; i < COUNT(tables); i++) {
        struct dispatcher *dispatcher = dispatcher_create(&options);
        struct status st = dispatcher_add(dispatcher, &tables[i]);
        cr_expect_eq(st.code, STATUS_FAILED_PRECONDITION);
        cr_expect(strstr(st.message, words[i]) != NULL, "%s", st.message);
        dispatcher_destroy(dispatcher);
    }
}

// A caller with a desk of its own, which lives until its last call is answered.
struct latecomer {
    struct dispatcher *dispatcher;
    struct stand_desk *desk;
};

static void *open_gate_when_draining(void *arg)
{
    struct latecomer *late = arg;
    do
        stand_submit(late->dispatcher, late->desk, 0, "refused?", NULL, 5000);
    while (late->desk->places[0].code != STATUS_UNAVAILABLE);
    atomic_store(&gate.open, true);
    return NULL;
}

Test(dispatcher, drains_refusing_new_calls_and_finishing_the_old)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, hold_or_echo};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher =
        stand_dispatcher(&echo, &store, (struct dispatcher_options){.queue_max = 4});
    hold_the_worker(dispatcher, desk);
    submit_numbers(dispatcher, desk, 1, 3);
    SCOPED(stand_desk) *other_desk = stand_desk_create();
    struct latecomer late = {dispatcher, other_desk};
    pthread_t other;
    pthread_create(&other, NULL, open_gate_when_draining, &late);
    dispatcher_drain(dispatcher, 5000);
    cr_expect_eq(atomic_load(&desk->answers), 4);
    cr_expect_eq(desk->places[3].code, STATUS_OK);
    pthread_join(other, NULL);
    dispatcher_destroy(dispatcher);
}

static int64_t left_ms;

static struct status note_deadline(struct batch *batch)
{
    left_ms = (batch->calls[0]->deadline_us - clock_monotonic_us()) / US_PER_MS;
    return stand_echo(batch);
}

Test(dispatcher, grants_the_time_that_is_asked_for_up_to_the_row_s)
{
    static const struct {
        int64_t row_ms;
        uint32_t asked_ms;
        int64_t granted_ms;
    } rows[] = {
        {0,    0,      5000},
        {0,    3000,   3000},
        {0,    900000, 5000},
        {9000, 8000,   8000},
        {2000, 8000,   2000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct method echo = {"Echo", METHOD_READ, ACCESS_ANYBODY, note_deadline,
                                    .timeout_ms = rows[i].row_ms};
        SCOPED(stand_desk) *desk = stand_desk_create();
        struct dispatcher *dispatcher =
            stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
        stand_submit(dispatcher, desk, 0, "x", NULL, rows[i].asked_ms);
        cr_assert(stand_answered(desk, 1));
        dispatcher_destroy(dispatcher);
        cr_expect(left_ms <= rows[i].granted_ms && left_ms > rows[i].granted_ms - 900,
                  "row %zu: %d ms", i, (int)left_ms);
    }
}

// A payment waits for its saga; nobody else shall wait for the worker meanwhile.
Test(dispatcher, does_not_let_a_patient_caller_hold_the_worker_that_writes)
{
    static const struct {
        enum method_kind kind;
        int64_t least_ms, most_ms;
    } rows[] = {
        {METHOD_WRITE, 4000,  5000 },
        {METHOD_READ,  29000, 30000}
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct method echo = {"Echo", rows[i].kind, ACCESS_ANYBODY, .timeout_ms = 30000,
                                    .handle = stand_echo};
        SCOPED(stand_desk) *desk = stand_desk_create();
        struct dispatcher *dispatcher =
            stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
        int64_t began_us = clock_monotonic_us();
        stand_submit(dispatcher, desk, 0, "x", NULL, 30000);
        cr_assert(stand_answered(desk, 1));
        dispatcher_destroy(dispatcher);
        int64_t allowed_ms = (atomic_load(&store.deadline_us) - began_us) / US_PER_MS;
        cr_expect_geq(allowed_ms, rows[i].least_ms, "row %zu", i);
        cr_expect_lt(allowed_ms, rows[i].most_ms + 2000, "row %zu", i);
    }
}
