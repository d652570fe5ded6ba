// Takes calls in: finds the method, unpacks the request, decides whether there is room, and sends the
// call on its way. A call goes
//
//     submit -> [look up its key -> prepare] -> queue -> batch -> answer
//
// where the part in brackets is for methods with `prepare`. From submit on exactly one place owns the
// call: a queue, a worker's batch, whoever `prepare` gave it to, or whoever it was deferred to.

#include "lib/rpc/call_trace.h"

#include "lib/base/clock.h"
#include "lib/base/fault_point.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/base/thread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_DEFAULT_MS = 5000,
    QUEUE_MAX_DEFAULT = 2048,
    BATCH_MAX_DEFAULT = 256,
    KEY_LENGTH_MAX = 255,
};

static size_t or_default(size_t value, size_t otherwise)
{
    return value ? value : otherwise;
}

struct dispatcher *dispatcher_create(const struct dispatcher_options *options)
{
    struct arena *arena = arena_create();
    struct dispatcher *dispatcher = arena_alloc(arena, sizeof(*dispatcher));
    dispatcher->arena = arena;
    dispatcher->options = *options;
    struct dispatcher_options *own = &dispatcher->options;
    own->write_workers = or_default(own->write_workers, 1);
    own->read_workers = or_default(own->read_workers, 1);
    own->queue_max = or_default(own->queue_max, QUEUE_MAX_DEFAULT);
    own->batch_max = or_default(own->batch_max, BATCH_MAX_DEFAULT);
    lane_init(&dispatcher->reads);
    lane_init(&dispatcher->writes);
    call_pool_init(&dispatcher->pool);
    pthread_mutex_init(&dispatcher->keys_lock, NULL);
    pthread_mutex_init(&dispatcher->open_lock, NULL);
    condition_init(&dispatcher->all_answered);
    return dispatcher;
}

static void init_metrics(struct dispatcher *dispatcher, struct method_entry *entry)
{
    const char *labels = text_printf(dispatcher->arena, "method=\"%s\"", entry->name);
    entry->handling_seconds = metrics_duration("baro_rpc_handling_seconds",
                                               "From the request's arrival to its answer.", labels);
    entry->wait_seconds =
        metrics_duration("baro_queue_wait_seconds", "How long calls wait for a worker.", labels);
    entry->batch_size = metrics_size("baro_batch_size", "Calls that one transaction ran.", labels);
    entry->handle.depth =
        metrics_gauge("baro_queue_depth", "Calls that wait for a worker.", labels);
    entry->look_up.depth = entry->handle.depth;
}

static void init_queues(struct dispatcher *dispatcher, struct method_entry *entry)
{
    const struct method *method = entry->method;
    size_t batch_max = or_default(method->batch_max, dispatcher->options.batch_max);
    entry->handle.entry = entry->look_up.entry = entry;
    entry->handle.work = QUEUE_HANDLE;
    entry->look_up.work = QUEUE_LOOK_UP;
    entry->handle.batch_max = entry->look_up.batch_max = batch_max;
    lane_add(method->kind == METHOD_WRITE ? &dispatcher->writes : &dispatcher->reads,
             &entry->handle);
    if (method->prepare && method->guard)
        lane_add(&dispatcher->reads, &entry->look_up);
}

static struct status wrong_row(struct dispatcher *dispatcher, const char *method, const char *what)
{
    return (struct status){STATUS_FAILED_PRECONDITION, REASON_NOT_IMPLEMENTED, NULL,
                           text_printf(dispatcher->arena, "%s: %s", method, what)};
}

static struct status add_row(struct dispatcher *dispatcher,
                             const ProtobufCServiceDescriptor *service, const struct method *method)
{
    struct method_entry *entry = arena_alloc(dispatcher->arena, sizeof(*entry));
    struct method_entry *same;
    entry->method = method;
    entry->name = text_printf(dispatcher->arena, "%s/%s", service->name, method->name);
    entry->descriptor = protobuf_c_service_descriptor_get_method_by_name(service, method->name);
    entry->timeout_ms = method->timeout_ms ? method->timeout_ms : TIMEOUT_DEFAULT_MS;
    if (!entry->descriptor)
        return wrong_row(dispatcher, entry->name, "the protobuf service has no such method");
    HASH_FIND_STR(dispatcher->entries, entry->name, same);
    if (same)
        return wrong_row(dispatcher, entry->name, "two rows");
    if (!method->handle)
        return wrong_row(dispatcher, entry->name, "no handler");
    if (method->access == ACCESS_NOBODY)
        return wrong_row(dispatcher, entry->name, "nobody may call it");
    init_queues(dispatcher, entry);
    init_metrics(dispatcher, entry);
    HASH_ADD_KEYPTR(hh, dispatcher->entries, entry->name, strlen(entry->name), entry);
    return OK;
}

struct status dispatcher_add(struct dispatcher *dispatcher, const struct method_table *table)
{
    assert(!dispatcher->workers);
    for (size_t i = 0; i < table->count; i++) {
        struct status st = add_row(dispatcher, table->service, &table->methods[i]);
        if (failed(st))
            return st;
    }
    for (unsigned i = 0; i < table->service->n_methods; i++) {
        const char *name = text_printf(dispatcher->arena, "%s/%s", table->service->name,
                                       table->service->methods[i].name);
        struct method_entry *entry;
        HASH_FIND_STR(dispatcher->entries, name, entry);
        if (!entry)
            return wrong_row(dispatcher, name, "no row in the method table");
    }
    return OK;
}

static size_t largest_batch(const struct dispatcher *dispatcher)
{
    size_t largest = 1;
    for (struct method_entry *entry = dispatcher->entries; entry; entry = entry->hh.next)
        if (entry->handle.batch_max > largest)
            largest = entry->handle.batch_max;
    return largest;
}

static void start_worker(struct dispatcher *dispatcher, struct lane *lane, const char *kind,
                         size_t number)
{
    struct worker *worker = &dispatcher->workers[dispatcher->worker_count++];
    size_t room = largest_batch(dispatcher);
    *worker = (struct worker){
        .dispatcher = dispatcher,
        .lane = lane,
        .name = text_printf(dispatcher->arena, "%s-%zu", kind, number),
        .arena = arena_create(),
        .calls = arena_array(dispatcher->arena, room, sizeof(struct call *)),
        .settled = arena_array(dispatcher->arena, room, sizeof(struct call *)),
        .links = arena_array(dispatcher->arena, room, sizeof(struct trace_context)),
        .random = (uint64_t)clock_monotonic_us() * 2 + 1,
    };
    thread_start(&worker->thread, worker_main, worker);
}

void dispatcher_start(struct dispatcher *dispatcher)
{
    const struct dispatcher_options *options = &dispatcher->options;
    dispatcher->workers =
        arena_array(dispatcher->arena, options->write_workers + options->read_workers,
                    sizeof(*dispatcher->workers));
    for (size_t i = 0; i < options->write_workers; i++)
        start_worker(dispatcher, &dispatcher->writes, "write", i);
    for (size_t i = 0; i < options->read_workers; i++)
        start_worker(dispatcher, &dispatcher->reads, "read", i);
}

void dispatcher_drain(struct dispatcher *dispatcher, int64_t timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    atomic_store(&dispatcher->draining, true);
    pthread_mutex_lock(&dispatcher->open_lock);
    while (atomic_load(&dispatcher->open) > 0 &&
           condition_wait_until(&dispatcher->all_answered, &dispatcher->open_lock, until_us))
        continue;
    pthread_mutex_unlock(&dispatcher->open_lock);
}

// Looking up feeds the other lane, so reads end first; each lane runs what it still holds.
static void stop_lane(struct dispatcher *dispatcher, struct lane *lane)
{
    lane_stop(lane);
    for (size_t i = 0; i < dispatcher->worker_count; i++) {
        struct worker *worker = &dispatcher->workers[i];
        if (worker->lane != lane)
            continue;
        pthread_join(worker->thread, NULL);
        arena_destroy(worker->arena);
    }
}

void dispatcher_stop(struct dispatcher *dispatcher)
{
    stop_lane(dispatcher, &dispatcher->reads);
    stop_lane(dispatcher, &dispatcher->writes);
    dispatcher->worker_count = 0;
}

void dispatcher_destroy(struct dispatcher *dispatcher)
{
    if (!dispatcher)
        return;
    dispatcher_stop(dispatcher);
    pthread_mutex_lock(&dispatcher->open_lock); // whoever answered last has left
    pthread_mutex_unlock(&dispatcher->open_lock);
    HASH_CLEAR(hh, dispatcher->keys);
    HASH_CLEAR(hh, dispatcher->entries);
    call_pool_fini(&dispatcher->pool);
    lane_fini(&dispatcher->reads);
    lane_fini(&dispatcher->writes);
    pthread_cond_destroy(&dispatcher->all_answered);
    pthread_mutex_destroy(&dispatcher->open_lock);
    pthread_mutex_destroy(&dispatcher->keys_lock);
    arena_destroy(dispatcher->arena);
}

// Binds the call to its method and its deadline.
static struct status find_method(struct call *call, const char *name, int64_t timeout_ms)
{
    struct method_entry *entry;
    HASH_FIND_STR(call->private->dispatcher->entries, name, entry);
    if (!entry)
        return refuse(REASON_NOT_IMPLEMENTED, "no such method");
    if (timeout_ms <= 0 || timeout_ms > entry->timeout_ms)
        timeout_ms = entry->timeout_ms;
    call->private->entry = entry;
    call->method = entry->method;
    call->deadline_us = call->private->submitted_at_us + timeout_ms * US_PER_MS;
    return OK;
}

// Joins those that wait for the method; returns how many they were.
static size_t join(struct call *call)
{
    call->private->admitted = true;
    return atomic_fetch_add(&call->private->entry->admitted, 1);
}

// Calls in `prepare` count too, so that no call is refused once remote work was done for it.
static struct status enter(struct call *call)
{
    if (join(call) < call->private->dispatcher->options.queue_max)
        return OK;
    entry_leave(call);
    return refuse(REASON_OVERLOADED, "too many calls wait for this method");
}

static struct call *take_call(struct dispatcher *dispatcher)
{
    struct call *call = call_acquire(&dispatcher->pool);
    atomic_fetch_add(&dispatcher->open, 1);
    call->service = dispatcher->options.service;
    call->idempotency_key = "";
    call->traceparent = "";
    call->private->dispatcher = dispatcher;
    call->private->submitted_at_us = clock_monotonic_us();
    return call;
}

static void copy_saga(struct call *call, const Baro__SagaStep *saga)
{
    if (!saga)
        return;
    baro__saga_step__init(&call->private->saga);
    call->private->saga.saga_id = saga->saga_id;
    call->private->saga.step = text_copy(call->arena, saga->step);
    call->private->saga.compensation = saga->compensation;
    call->saga = &call->private->saga;
}

static struct status unpack_request(struct call *call, size_t size, const uint8_t *bytes)
{
    call->request =
        protobuf_unpack(call->private->entry->descriptor->input, size, bytes, call->arena);
    return call->request ? OK : refuse(REASON_VALIDATION_ERROR, "the request is malformed");
}

static struct status take_envelope(struct call *call, const Baro__RpcRequest *envelope)
{
    copy_saga(call, envelope->saga);
    call_trace_begin(call, envelope->traceparent);
    call->private->call_id = envelope->call_id;
    if (atomic_load(&call->private->dispatcher->draining))
        return refuse(REASON_UNAVAILABLE, "shutting down");
    struct status st = find_method(call, envelope->method, envelope->timeout_ms);
    if (failed(st))
        return st;
    if (strlen(envelope->idempotency_key) > KEY_LENGTH_MAX)
        return invalid("idempotency_key", "is longer than 255 characters");
    bool known_role = envelope->role <= CALLER_SERVICE;
    call->caller.user_id = envelope->user_id;
    call->caller.role = known_role ? (enum caller_role)envelope->role : CALLER_NOBODY;
    call->idempotency_key = text_copy(call->arena, envelope->idempotency_key);
    st = enter(call);
    return failed(st) ? st : unpack_request(call, envelope->payload.len, envelope->payload.data);
}

static void refuse_now(struct call *call, struct status st)
{
    call_refuse(call, st);
    answer_now(call);
}

static void send_on_its_way(struct call *call)
{
    struct method_entry *entry = call->private->entry;
    fault_point(call->method->name, "received");
    if (!call->method->prepare)
        queue_push(&entry->handle, call);
    else if (!keys_claim(call))
        refuse_now(call, refuse(REASON_REQUEST_IN_PROGRESS, "the same request is still running"));
    else if (call->method->guard && call_id_of(call))
        queue_push(&entry->look_up, call);
    else
        dispatcher_prepare(call);
}

void dispatcher_submit(struct dispatcher *dispatcher, const Baro__RpcRequest *envelope,
                       struct responder *responder, void *token)
{
    struct call *call = take_call(dispatcher);
    call->private->responder = responder;
    call->private->token = token;
    struct status st = take_envelope(call, envelope);
    if (failed(st))
        refuse_now(call, st);
    else
        send_on_its_way(call);
}

static struct status take_own(struct call *call, const char *method,
                              const ProtobufCMessage *request, int64_t timeout_ms)
{
    struct status st = find_method(call, method, timeout_ms);
    if (failed(st))
        return st;
    assert(request->descriptor == call->private->entry->descriptor->input);
    call->caller.role = CALLER_SERVICE;
    join(call);
    size_t size;
    uint8_t *bytes = protobuf_pack(request, call->arena, &size);
    return unpack_request(call, size, bytes);
}

// Goes on while the dispatcher drains, and beyond the queue's limit: deferred calls wait for sagas that
// end through here, and what was let in must be able to end, or a crowd at the door stops the work.
void dispatcher_run(struct dispatcher *dispatcher, const char *method,
                    const ProtobufCMessage *request, const Baro__SagaStep *saga, int64_t timeout_ms,
                    void (*done)(void *arg, const struct call *call), void *arg)
{
    struct call *call = take_call(dispatcher);
    call->private->done = done;
    call->private->done_arg = arg;
    copy_saga(call, saga);
    struct status st = take_own(call, method, request, timeout_ms);
    if (failed(st))
        refuse_now(call, st);
    else
        send_on_its_way(call);
}

void dispatcher_prepare(struct call *call)
{
    call_reset_outcome(call);
    call->method->prepare(call);
}

void call_ready(struct call *call)
{
    fault_point(call->method->name, "prepared");
    queue_push(&call->private->entry->handle, call);
}

void call_finish(struct call *call)
{
    assert(call->settled);
    answer_now(call);
}

void calls_finish(struct call *const *calls, size_t count)
{
    struct answered answered = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        assert(calls[i]->settled);
        answer(calls[i], &answered);
    }
    answered_flush(&answered);
}

void call_record(struct call *call)
{
    assert(call->settled && failed(call->status));
    if (!call->method->guard) {
        answer_now(call);
        return;
    }
    call->private->recording = true;
    call->private->refusal = call->status;
    queue_push(&call->private->entry->handle, call);
}

const ProtobufCMessageDescriptor *call_output(const struct call *call)
{
    return call->private->entry->descriptor->output;
}

size_t dispatcher_describe(const struct dispatcher *dispatcher, struct arena *arena,
                           Baro__MethodDescription ***methods)
{
    size_t count = HASH_COUNT(dispatcher->entries);
    Baro__MethodDescription **rows =
        arena_array(arena, count + 1, sizeof(Baro__MethodDescription *));
    size_t index = 0;
    for (const struct method_entry *entry = dispatcher->entries; entry; entry = entry->hh.next) {
        Baro__MethodDescription *row = arena_alloc(arena, sizeof(*row));
        baro__method_description__init(row);
        row->name = text_copy(arena, entry->name);
        row->request = text_copy(arena, entry->descriptor->input->name);
        row->reply = text_copy(arena, entry->descriptor->output->name);
        row->write = entry->method->kind == METHOD_WRITE;
        rows[index++] = row;
    }
    *methods = rows;
    return count;
}
