// A batch from begin to its answers (DESIGN 4).
//
// A try of a batch is one transaction. It either commits, and every call has its own outcome, or it
// fails as a whole, with nothing changed. What a failed try means stands in react(): races are run
// again, a lost connection is everybody's answer, and anything else is halved until the call that
// spoils the batch fails alone.

#include "lib/rpc/call_trace.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/fault_point.h"
#include "lib/base/faults.h"
#include "lib/base/metrics.h"
#include "lib/base/random.h"
#include "lib/rpc/access.h"

#include <time.h>

enum {
    RETRIES_MAX = 5,
    BACKOFF_FIRST_US = 1000,
    BACKOFF_MAX_US = 64 * 1000,
};

// A caller may wait longer, for a saga that the batch begins, but others wait for the worker.
#define WRITE_MAX_US (5 * US_PER_S)

// What a try of a batch asks for next.
enum reaction { REACT_DONE, REACT_AGAIN, REACT_HALVE, REACT_REFUSE_ALL };

static void back_off(struct worker *worker, int attempt)
{
    int64_t pause_us =
        backoff(BACKOFF_FIRST_US, BACKOFF_MAX_US, attempt, random_next(&worker->random));
    struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)pause_us * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void settle_all(struct call **calls, size_t count, struct status st)
{
    for (size_t i = 0; i < count; i++)
        call_refuse(calls[i], status_keep(st, calls[i]->arena));
}

static void answer_all(struct call **calls, size_t count)
{
    struct answered answered = {.count = 0};
    for (size_t i = 0; i < count; i++)
        answer(calls[i], &answered);
    answered_flush(&answered);
}

// For calls of which the database surely has nothing.
static void abandon(struct call *call)
{
    if (call->method->abandoned)
        call->method->abandoned(call);
}

// Answers the calls whose time is over; returns how many are left, in order.
static size_t drop_expired(struct call **calls, size_t count)
{
    struct answered answered = {.count = 0};
    int64_t now_us = clock_monotonic_us();
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (calls[i]->deadline_us > now_us) {
            calls[left++] = calls[i];
            continue;
        }
        abandon(calls[i]);
        call_refuse(calls[i],
                    refuse(REASON_DEADLINE_EXCEEDED, "the time was over before the work"));
        answer(calls[i], &answered);
    }
    answered_flush(&answered);
    return left;
}

// Until when the database is waited for.
static int64_t deadline_of(const struct batch *batch)
{
    int64_t latest_us = 0, limit_us = clock_monotonic_us() + WRITE_MAX_US;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->calls[i]->deadline_us > latest_us)
            latest_us = batch->calls[i]->deadline_us;
    return batch->method->kind == METHOD_WRITE && latest_us > limit_us ? limit_us : latest_us;
}

static bool has_open_calls(const struct batch *batch)
{
    size_t index = 0;
    return batch_next(batch, &index) != NULL;
}

// The key may belong to a call that is in `prepare`, or deferred with its outcome not stored yet.
static void refuse_keys_in_progress(const struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        if (keys_held_by_other(call))
            call_refuse(call,
                        refuse(REASON_REQUEST_IN_PROGRESS, "the same request is still running"));
}

static void refuse_strangers(const struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status st = access_check(batch->method->access, call->caller, call->saga != NULL);
        if (failed(st))
            call_refuse(call, st);
    }
}

static void refuse_forgotten(const struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        call_refuse(call, refuse(REASON_INTERNAL, "the handler set no outcome"));
}

static struct status handle_open_calls(struct batch *batch)
{
    refuse_strangers(batch);
    if (!has_open_calls(batch))
        return OK;
    struct status st = batch->method->handle(batch);
    if (!failed(st))
        refuse_forgotten(batch);
    return st;
}

static struct status run_handle(const struct transaction_ops *ops, struct batch *batch)
{
    const struct guard *guard = batch->method->guard;
    struct status st = ops->begin(batch->tx, batch->method->kind);
    if (!failed(st) && guard)
        st = guard->admit(batch);
    if (!failed(st))
        st = ops->now(batch->tx, &batch->now_us);
    if (failed(st))
        return st;
    fault_point(batch->method->name, "fence");
    if (guard)
        refuse_keys_in_progress(batch);
    st = handle_open_calls(batch);
    if (!failed(st) && guard)
        st = guard->record(batch);
    return st;
}

static struct status run_look_up(const struct transaction_ops *ops, struct batch *batch)
{
    struct status st = ops->begin(batch->tx, METHOD_READ);
    return failed(st) ? st : batch->method->guard->admit(batch);
}

static struct status try_batch(struct worker *worker, enum queue_work work, struct batch *batch)
{
    const struct transaction_ops *ops = worker->dispatcher->options.transaction;
    faults_dawdle();
    arena_reset(worker->arena);
    batch->handled = NULL;
    for (size_t i = 0; i < batch->count; i++)
        call_reset_outcome(batch->calls[i]);
    ops->set_deadline(worker->tx, deadline_of(batch));
    struct status st = work == QUEUE_HANDLE ? run_handle(ops, batch) : run_look_up(ops, batch);
    fault_point(batch->method->name, work == QUEUE_HANDLE ? "effect" : "looked-up");
    if (!failed(st))
        st = ops->commit(worker->tx);
    if (failed(st))
        ops->rollback(worker->tx);
    return st;
}

static enum reaction react(struct status st, int attempt, size_t count)
{
    switch (st.code) {
    case STATUS_OK:
        return REACT_DONE;
    case STATUS_ABORTED:
        if (attempt < RETRIES_MAX)
            return REACT_AGAIN;
        break;
    case STATUS_UNAVAILABLE: // nothing happened
    case STATUS_UNKNOWN:     // COMMIT may have happened
        return REACT_REFUSE_ALL;
    case STATUS_CANCELLED:
    case STATUS_INVALID_ARGUMENT:
    case STATUS_DEADLINE_EXCEEDED:
    case STATUS_NOT_FOUND:
    case STATUS_ALREADY_EXISTS:
    case STATUS_PERMISSION_DENIED:
    case STATUS_RESOURCE_EXHAUSTED:
    case STATUS_FAILED_PRECONDITION:
    case STATUS_OUT_OF_RANGE:
    case STATUS_UNIMPLEMENTED:
    case STATUS_INTERNAL:
    case STATUS_DATA_LOSS:
    case STATUS_UNAUTHENTICATED:
        break;
    }
    return count > 1 ? REACT_HALVE : REACT_REFUSE_ALL;
}

// UNKNOWN stays inside the process: outside it is a fault that a repeat with the same key heals.
static struct status as_answer(struct status st)
{
    if (st.code != STATUS_UNKNOWN)
        return st;
    return (struct status){STATUS_UNAVAILABLE, REASON_OUTCOME_UNKNOWN, NULL,
                           "the outcome is not known; send it again with the same key"};
}

// `committed` may hand deferred calls to other threads that end them at any moment, so what the
// worker answers is set apart before.
static void end_handled(struct worker *worker, struct batch *batch)
{
    size_t settled = 0;
    fault_point(batch->method->name, "commit");
    for (size_t i = 0; i < batch->count; i++) {
        struct call *call = batch->calls[i];
        if (!call->deferred)
            worker->settled[settled++] = call;
        else
            keys_claim(call);
    }
    if (batch->method->committed)
        batch->method->committed(batch);
    answer_all(worker->settled, settled);
    fault_point(batch->method->name, "reply");
}

static void refuse_all(struct call **calls, size_t count, struct status st)
{
    for (size_t i = 0; i < count && st.code != STATUS_UNKNOWN; i++)
        abandon(calls[i]);
    settle_all(calls, count, as_answer(st));
    answer_all(calls, count);
}

static void end_looked_up(const struct dispatcher_options *options, const struct batch *batch)
{
    struct answered answered = {.count = 0};
    if (options->cork)
        options->cork(options->service);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->calls[i]->settled)
            answer(batch->calls[i], &answered);
        else
            dispatcher_prepare(batch->calls[i]);
    if (options->uncork)
        options->uncork(options->service);
    answered_flush(&answered);
}

static void run(struct worker *worker, const struct call_queue *queue, struct call **calls,
                size_t count)
{
    struct batch batch = {
        .method = queue->entry->method,
        .tx = worker->tx,
        .service = worker->dispatcher->options.service,
        .arena = worker->arena,
        .calls = calls,
    };
    struct status st;
    enum reaction reaction;
    for (int attempt = 0;; attempt++) {
        batch.count = drop_expired(calls, count);
        if (batch.count == 0)
            return;
        count = batch.count;
        st = try_batch(worker, queue->work, &batch);
        reaction = react(st, attempt, count);
        if (reaction != REACT_AGAIN)
            break;
        back_off(worker, attempt);
    }
    if (reaction == REACT_HALVE) {
        run(worker, queue, calls, count / 2);
        run(worker, queue, calls + count / 2, count - count / 2);
    } else if (reaction == REACT_REFUSE_ALL) {
        refuse_all(calls, count, st);
    } else if (queue->work == QUEUE_HANDLE) {
        end_handled(worker, &batch);
    } else {
        end_looked_up(&worker->dispatcher->options, &batch);
    }
}

static void begin_handling(const struct method_entry *entry, struct call **calls, size_t count)
{
    int64_t now_us = clock_monotonic_us();
    metric_observe(entry->batch_size, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        entry_leave(calls[i]);
        metric_observe(entry->wait_seconds, now_us - calls[i]->private->queued_at_us);
    }
}

void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct dispatcher *dispatcher = worker->dispatcher;
    const struct transaction_ops *ops = dispatcher->options.transaction;
    pthread_setname_np(pthread_self(), worker->name);
    worker->tx = ops->open(dispatcher->options.transaction_context, worker->name);
    struct call_queue *queue;
    size_t count;
    while ((queue = lane_take(worker->lane, worker->calls, &count))) {
        struct batch_trace trace;
        if (queue->work == QUEUE_HANDLE)
            begin_handling(queue->entry, worker->calls, count);
        batch_trace_begin(&trace, worker, queue->entry, count);
        if (ops->set_trace)
            ops->set_trace(worker->tx, trace.traceparent);
        run(worker, queue, worker->calls, count);
        batch_trace_end(&trace);
    }
    ops->close(worker->tx);
    return NULL;
}
