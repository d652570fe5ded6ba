// The ways of a call that is more than one batch: guards and keys, `prepare`, deferred answers, and
// calls of our own.

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct stand_store store;

// What ran, in order, one letter each.
static char journal[256];
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;

static void note(char letter)
{
    pthread_mutex_lock(&journal_lock);
    size_t length = strlen(journal);
    if (length + 1 < sizeof(journal))
        journal[length] = letter;
    pthread_mutex_unlock(&journal_lock);
}

// A guard with one place: the key "old" is known already, what it records is kept in `kept`.
static struct {
    char key[32];
    enum reason reason;
} kept;

static struct status admit(struct batch *batch)
{
    note('a');
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        if (strcmp(call->idempotency_key, "old") != 0)
            continue;
        call_reply(call, &stand_text(call->arena, "stored")->base);
        call->replayed = true;
    }
    return OK;
}

static struct status record(struct batch *batch)
{
    note('r');
    for (size_t i = 0; i < batch->count; i++) {
        const struct call *call = batch->calls[i];
        if (call->replayed || call->deferred)
            continue;
        snprintf(kept.key, sizeof(kept.key), "%s", call->idempotency_key);
        kept.reason = call->status.reason;
    }
    return OK;
}

static const struct guard guard = {"test", admit, record};

static struct status handle(struct batch *batch)
{
    note('h');
    return stand_echo(batch);
}

static void committed(struct batch *batch)
{
    (void)batch;
    note('C');
}

static struct status commit(struct stand_store *self)
{
    (void)self;
    note('c');
    return OK;
}

static struct dispatcher *start(const struct method *method)
{
    store.commit = commit;
    return stand_dispatcher(method, &store, (struct dispatcher_options){0});
}

Test(guard, admits_before_and_records_after_the_handler_in_one_transaction)
{
    const struct method echo = {"Echo", METHOD_WRITE,    ACCESS_ANYBODY,
                                handle, .guard = &guard, .committed = committed};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", "key", 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(journal, "ahrcC");
    cr_expect_str_eq(kept.key, "key");
    cr_expect_eq(atomic_load(&store.begins), 1);
}

Test(guard, answers_a_repeated_key_without_the_handler)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, handle, .guard = &guard};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", "old", 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(desk->places[0].text, "stored");
    cr_expect_str_eq(journal, "arc");
}

static void prepare_ready(struct call *call)
{
    note('p');
    call->own = text_copy(call->arena, "prepared");
    call_ready(call);
}

static struct status handle_prepared(struct batch *batch)
{
    note('h');
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->calls[i]->settled)
            call_reply(batch->calls[i], &stand_text(batch->arena, batch->calls[i]->own)->base);
    return OK;
}

Test(prepare, comes_after_the_guard_and_before_the_transaction)
{
    const struct method echo = {"Echo",          METHOD_WRITE,    ACCESS_ANYBODY,
                                handle_prepared, .guard = &guard, .prepare = prepare_ready};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", "new", 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(journal, "acpahrc");
    cr_expect_str_eq(desk->places[0].text, "prepared");
}

Test(prepare, does_not_run_for_a_key_that_was_answered_before)
{
    const struct method echo = {"Echo",          METHOD_WRITE,    ACCESS_ANYBODY,
                                handle_prepared, .guard = &guard, .prepare = prepare_ready};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", "old", 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(journal, "ac");
    cr_expect_str_eq(desk->places[0].text, "stored");
}

Test(prepare, keeps_what_it_prepared_when_the_batch_runs_again)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, handle_prepared,
                                .prepare = prepare_ready};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", NULL, 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(journal, "phc", "without a key there is nothing to look up");
    cr_expect_str_eq(desk->places[0].text, "prepared");
}

static void prepare_refuse_for_good(struct call *call)
{
    note('p');
    call_refuse(call, refuse(REASON_INSUFFICIENT_STOCK, "nothing left"));
    call_record(call);
}

Test(prepare, may_refuse_so_that_the_guard_keeps_it)
{
    const struct method echo = {"Echo", METHOD_WRITE,    ACCESS_ANYBODY,
                                handle, .guard = &guard, .prepare = prepare_refuse_for_good};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", "new", 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(journal, "acparc", "the handler is passed by");
    cr_expect_eq(desk->places[0].reason, REASON_INSUFFICIENT_STOCK);
    cr_expect_eq(kept.reason, REASON_INSUFFICIENT_STOCK);
    cr_expect_str_eq(kept.key, "new");
}

static void prepare_refuse_for_now(struct call *call)
{
    call_refuse(call, refuse(REASON_UNAVAILABLE, "the product service is away"));
    call_finish(call);
}

Test(prepare, may_answer_without_a_transaction)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, handle,
                                .prepare = prepare_refuse_for_now};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", NULL, 0);
    cr_expect_eq(atomic_load(&desk->answers), 1);
    cr_expect_eq(desk->places[0].code, STATUS_UNAVAILABLE);
    dispatcher_destroy(dispatcher);
    cr_expect_eq(atomic_load(&store.begins), 0);
}

Test(prepare, gives_its_room_in_the_queue_back_however_it_ends)
{
    const struct method refusing = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, handle,
                                    .prepare = prepare_refuse_for_now};
    const struct method guarded = {"Echo",          METHOD_WRITE,    ACCESS_ANYBODY,
                                   handle_prepared, .guard = &guard, .prepare = prepare_ready};
    const struct method *const methods[] = {&refusing, &guarded};
    static const char *const keys[] = {NULL, "old"};
    for (size_t row = 0; row < COUNT(methods); row++) {
        SCOPED(stand_desk) *desk = stand_desk_create();
        struct dispatcher *dispatcher =
            stand_dispatcher(methods[row], &store, (struct dispatcher_options){.queue_max = 2});
        for (int i = 0; i < 5; i++) {
            stand_submit(dispatcher, desk, (size_t)i, "x", keys[row], 0);
            cr_assert(stand_answered(desk, i + 1));
            cr_expect_neq(desk->places[i].reason, REASON_OVERLOADED);
        }
        dispatcher_destroy(dispatcher);
    }
}

static struct call *_Atomic parked;

static void park(struct call *call)
{
    atomic_store(&parked, call);
}

static bool is_parked(void *arg)
{
    (void)arg;
    return atomic_load(&parked) != NULL;
}

Test(keys, of_a_call_in_prepare_are_in_progress_for_the_next)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, stand_echo, .prepare = park};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", "key", 0);
    cr_assert(stand_wait(is_parked, NULL, 5000));
    stand_submit(dispatcher, desk, 1, "x", "key", 0);
    cr_expect_eq(desk->places[1].reason, REASON_REQUEST_IN_PROGRESS);
    call_ready(atomic_exchange(&parked, NULL));
    cr_assert(stand_answered(desk, 2));
    stand_submit(dispatcher, desk, 2, "x", "key", 0);
    cr_assert(stand_wait(is_parked, NULL, 5000), "the key is free again");
    call_ready(atomic_exchange(&parked, NULL));
    cr_assert(stand_answered(desk, 3));
    dispatcher_destroy(dispatcher);
}

static atomic_int abandoned_calls;

static void abandoned(struct call *call)
{
    (void)call;
    atomic_fetch_add(&abandoned_calls, 1);
}

// What `prepare` did elsewhere would otherwise stay done.
Test(abandoned, is_a_prepared_call_whose_time_is_over_before_its_batch)
{
    const struct method echo = {"Echo",     METHOD_WRITE,    ACCESS_ANYBODY,
                                stand_echo, .prepare = park, .abandoned = abandoned};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    stand_submit(dispatcher, desk, 0, "x", "", 1);
    cr_assert(stand_wait(is_parked, NULL, 5000));
    struct call *call = atomic_exchange(&parked, NULL);
    while (clock_monotonic_us() <= call->deadline_us)
        sched_yield();
    call_ready(call);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_eq(desk->places[0].reason, REASON_DEADLINE_EXCEEDED);
    cr_expect_eq(atomic_load(&abandoned_calls), 1);
}

static struct status answer_of_commit;

static struct status commit_in_vain(struct stand_store *self)
{
    (void)self;
    return answer_of_commit;
}

// An unknown outcome may be a success: nothing may be undone for it.
Test(abandoned, is_a_prepared_call_that_surely_changed_nothing)
{
    const struct method echo = {"Echo",     METHOD_WRITE,          ACCESS_ANYBODY,
                                stand_echo, .prepare = call_ready, .abandoned = abandoned};
    const enum reason reasons[] = {REASON_UNAVAILABLE, REASON_INTERNAL, REASON_OUTCOME_UNKNOWN};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&echo);
    store.commit = commit_in_vain;
    for (int i = 0; i < 3; i++) {
        answer_of_commit = refuse(reasons[i], "no");
        stand_submit(dispatcher, desk, (size_t)i, "x", "", 0);
        cr_assert(stand_answered(desk, i + 1));
    }
    dispatcher_destroy(dispatcher);
    cr_expect_eq(atomic_load(&abandoned_calls), 2);
}

static struct status handle_defer(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        call_defer(call);
    return OK;
}

static void hand_over(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->calls[i]->deferred)
            atomic_store(&parked, batch->calls[i]);
}

static const struct method deferring = {"Echo",       METHOD_WRITE,    ACCESS_ANYBODY,
                                        handle_defer, .guard = &guard, .committed = hand_over};

Test(deferred, calls_are_answered_later_and_keep_their_keys_until_then)
{
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&deferring);
    stand_submit(dispatcher, desk, 0, "x", "key", 0);
    cr_assert(stand_wait(is_parked, NULL, 5000));
    stand_submit(dispatcher, desk, 1, "x", "key", 0);
    cr_assert(stand_answered(desk, 1));
    cr_expect_eq(desk->places[1].reason, REASON_REQUEST_IN_PROGRESS);
    cr_expect_eq(atomic_load(&desk->places[0].times), 0);
    struct call *call = atomic_load(&parked);
    call_reply(call, &stand_text(call->arena, "at last")->base);
    call_finish(call);
    cr_assert(stand_answered(desk, 2));
    cr_expect_str_eq(desk->places[0].text, "at last");
    dispatcher_destroy(dispatcher);
}

static void *finish_parked(void *arg)
{
    (void)arg;
    struct call *call = atomic_load(&parked);
    call_refuse(call, refuse(REASON_INSUFFICIENT_BALANCE, "no money"));
    call_finish(call);
    return NULL;
}

Test(deferred, calls_are_waited_for_when_draining)
{
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&deferring);
    stand_submit(dispatcher, desk, 0, "x", "key", 0);
    cr_assert(stand_wait(is_parked, NULL, 5000));
    dispatcher_drain(dispatcher, 10);
    cr_expect_eq(atomic_load(&desk->answers), 0, "the drain gave up");
    pthread_t other;
    pthread_create(&other, NULL, finish_parked, NULL);
    dispatcher_drain(dispatcher, 5000);
    cr_expect_eq(desk->places[0].reason, REASON_INSUFFICIENT_BALANCE);
    pthread_join(other, NULL);
    dispatcher_destroy(dispatcher);
}

struct outcome {
    char text[32];
    enum caller_role role;
    int64_t saga_id;
    atomic_bool done;
};

static void keep_outcome(void *arg, const struct call *call)
{
    struct outcome *outcome = arg;
    snprintf(outcome->text, sizeof(outcome->text), "%s", ((const Baro__Text *)call->reply)->value);
    outcome->role = call->caller.role;
    outcome->saga_id = call->saga->saga_id;
    atomic_store(&outcome->done, true);
}

static bool is_done(void *arg)
{
    struct outcome *outcome = arg;
    return atomic_load(&outcome->done);
}

Test(dispatcher, runs_calls_of_its_own_service_even_while_it_drains)
{
    const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, stand_echo};
    struct dispatcher *dispatcher = start(&echo);
    struct outcome outcome = {.done = false};
    Baro__SagaStep step;
    baro__saga_step__init(&step);
    step.saga_id = 42;
    dispatcher_drain(dispatcher, 0);
    struct arena *arena = arena_create();
    dispatcher_run(dispatcher, STAND_METHOD, &stand_text(arena, "own")->base, &step, 1000,
                   keep_outcome, &outcome);
    arena_destroy(arena); // the request was copied
    cr_assert(stand_wait(is_done, &outcome, 5000));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(outcome.text, "own");
    cr_expect_eq(outcome.role, CALLER_SERVICE);
    cr_expect_eq(outcome.saga_id, 42);
}

static struct {
    struct call *calls[2];
    atomic_size_t count;
} together;

static void collect(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        together.calls[atomic_load(&together.count)] = batch->calls[i];
        atomic_fetch_add(&together.count, 1); // the only worker counts what stands there
    }
}

static bool are_collected(void *arg)
{
    (void)arg;
    return atomic_load(&together.count) == COUNT(together.calls);
}

Test(deferred, calls_that_end_together_share_a_message)
{
    const struct method method = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, handle_defer,
                                  .committed = collect};
    SCOPED(stand_desk) *desk = stand_desk_create();
    struct dispatcher *dispatcher = start(&method);
    for (size_t i = 0; i < COUNT(together.calls); i++)
        stand_submit(dispatcher, desk, i, "x", NULL, 0);
    cr_assert(stand_wait(are_collected, NULL, 5000));
    int before = atomic_load(&desk->flushes);
    for (size_t i = 0; i < COUNT(together.calls); i++)
        call_reply(together.calls[i], &stand_text(together.calls[i]->arena, "together")->base);
    calls_finish(together.calls, COUNT(together.calls));
    cr_expect_eq(atomic_load(&desk->answers), 2);
    cr_expect_eq(atomic_load(&desk->flushes) - before, 1);
    cr_expect_str_eq(desk->places[1].text, "together");
    dispatcher_destroy(dispatcher);
}

static void prepare_refuse(struct call *call)
{
    note('p');
    call_refuse(call, refuse(REASON_FORBIDDEN, "no"));
    call_finish(call);
}

static void cork(void *service)
{
    (void)service;
    note('<');
}

static void uncork(void *service)
{
    (void)service;
    note('>');
}

Test(prepare, runs_between_cork_and_uncork)
{
    const struct method method = {"Echo", METHOD_WRITE,    ACCESS_ANYBODY,
                                  handle, .guard = &guard, .prepare = prepare_refuse};
    SCOPED(stand_desk) *desk = stand_desk_create();
    store.commit = commit;
    struct dispatcher *dispatcher = stand_dispatcher(
        &method, &store, (struct dispatcher_options){.cork = cork, .uncork = uncork});
    stand_submit(dispatcher, desk, 0, "x", "key", 0);
    cr_assert(stand_answered(desk, 1));
    dispatcher_destroy(dispatcher);
    cr_expect_str_eq(journal, "ac<p>");
}
