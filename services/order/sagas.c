// Where the runner meets the service.
//
// Nothing here decides anything: records go to the dispatcher and come back as outcomes, ends go to
// the calls that wait. `owner` names one life of one replica, so that what an earlier life of the same
// replica left behind can be taken over without waiting for its leases.

#include "services/order/sagas.h"

#include "lib/base/clock.h"
#include "lib/base/fault_point.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/saga/transport.h"
#include "lib/trace/context.h"
#include "services/order/pay_saga.h"
#include "services/order/waiters.h"
#include "services/order/wire.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum { TAKE_OVER_LIMIT = 200, ANSWER_MS = 200, UNREADABLE_FOR_MS = 60 * MS_PER_S };

struct sagas {
    struct arena *arena; // of what lives as long as this
    struct dispatcher *dispatcher;
    const char *owner;
    int64_t lease_ms;
    struct saga_transport *transport;
    struct saga_runner *runner;
    struct waiters *waiters;
    pthread_mutex_t lock; // of the two below
    pthread_cond_t all_left;
    size_t inside; // threads that use the runner, and records on their way
    bool stopping;
    struct metric *taken_over, *held, *unreadable;
};

static int64_t monotonic_now(void *context)
{
    (void)context;
    return clock_monotonic_us();
}

static int64_t wall_now(void *context)
{
    (void)context;
    return clock_realtime_us();
}

static uint64_t jitter(void *context)
{
    (void)context;
    return (uint64_t)randombytes_random() << 32 | randombytes_random();
}

static void publish_commands(void *context, const struct saga_command *commands, size_t count)
{
    struct sagas *sagas = context;
    saga_transport_publish(sagas->transport, commands, count);
}

static void ask_command(void *context, const struct saga_command *command)
{
    struct sagas *sagas = context;
    saga_transport_ask(sagas->transport, command);
}

// To the runner CONFLICT means that the saga is somebody else's; a lost race in the database, which
// bears the same name, means to try again.
static struct status outcome_of_record(struct status st)
{
    if (st.reason == REASON_SAGA_NOT_FOUND)
        return refuse(REASON_CONFLICT, "the saga belongs to another orchestrator");
    if (st.reason == REASON_CONFLICT)
        return refuse(REASON_UNAVAILABLE, "the record lost a race");
    return st;
}

// Counts a thread that comes to use the runner, or a record that sets out; false when it is too late.
static bool enter(struct sagas *sagas)
{
    pthread_mutex_lock(&sagas->lock);
    bool go_on = !sagas->stopping;
    sagas->inside += go_on;
    pthread_mutex_unlock(&sagas->lock);
    return go_on;
}

static void leave(struct sagas *sagas)
{
    pthread_mutex_lock(&sagas->lock);
    if (--sagas->inside == 0)
        pthread_cond_broadcast(&sagas->all_left);
    pthread_mutex_unlock(&sagas->lock);
}

static void await_all_left(struct sagas *sagas)
{
    pthread_mutex_lock(&sagas->lock);
    sagas->stopping = true;
    while (sagas->inside > 0)
        pthread_cond_wait(&sagas->all_left, &sagas->lock);
    pthread_mutex_unlock(&sagas->lock);
}

static void recorded(void *arg, const struct call *call)
{
    struct sagas *sagas = arg;
    const Baro__Order__SagaRecord *record = (const Baro__Order__SagaRecord *)call->request;
    struct status st = outcome_of_record(call->status);
    if (st.reason == REASON_CONFLICT)
        log_warn("saga lost to another orchestrator", log_int("saga_id", record->saga_id),
                 log_int("order_id", record->order_id));
    saga_runner_recorded(sagas->runner, record->saga_id, (enum saga_record)record->what, st);
    leave(sagas);
}

static void record_saga(void *context, enum saga_record what, const struct saga *saga)
{
    struct sagas *sagas = context;
    if (!enter(sagas))
        return;
    SCOPED(arena) *arena = arena_create();
    Baro__Order__SagaRecord *record = wire_saga_record(arena, what, saga);
    const char *method =
        what == SAGA_RECORD_END ? "baro.order.Order/EndSaga" : "baro.order.Order/RecordSaga";
    if (what == SAGA_RECORD_HELD)
        metric_add(sagas->held, 1);
    dispatcher_run(sagas->dispatcher, method, &record->base, NULL, 0, recorded, sagas);
}

// Whoever waits was answered when the end was committed.
static void saga_ended(void *context, const struct saga *saga)
{
    (void)context;
    (void)saga;
}

static void answer_with_order(struct call *call, const struct call *read)
{
    if (failed(read->status))
        call_refuse(call, read->status);
    else
        call_reply(call, read->reply);
    call_finish(call);
}

static void order_read(void *arg, const struct call *read)
{
    answer_with_order(arg, read);
}

static bool was_refused(const Baro__Order__OrderView *order)
{
    static const Baro__Order__OrderStatus REFUSED[] = {
        BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PENDING,
        BARO__ORDER__ORDER_STATUS__ORDER_STATUS_FAILED,
        BARO__ORDER__ORDER_STATUS__ORDER_STATUS_EXPIRED,
        BARO__ORDER__ORDER_STATUS__ORDER_STATUS_CANCELLED,
    };
    for (size_t i = 0; i < COUNT(REFUSED); i++)
        if (order->status == REFUSED[i])
            return true;
    return false;
}

// An orchestrator that has taken the saga over may have ended it with a refusal. The outcome stands
// under the call's key: handled again, the call gets it.
static void late_order_read(void *arg, const struct call *read)
{
    struct call *call = arg;
    bool ended_elsewhere =
        !failed(read->status) && was_refused((const Baro__Order__OrderView *)read->reply);
    if (ended_elsewhere && call->idempotency_key[0])
        call_ready(call);
    else
        answer_with_order(call, read);
}

static void read_order(struct sagas *sagas, int64_t order_id, struct call *call,
                       void (*done)(void *arg, const struct call *read))
{
    Baro__Order__GetOrderRequest request;
    baro__order__get_order_request__init(&request);
    request.order_id = order_id;
    dispatcher_run(sagas->dispatcher, "baro.order.Order/ReadOrder", &request.base, NULL, 0, done,
                   call);
}

// The time to wait is over; the saga may go on.
static void answer_impatient(void *arg, struct call *call, int64_t order_id)
{
    read_order(arg, order_id, call, late_order_read);
}

static void register_metrics(struct sagas *sagas)
{
    sagas->taken_over =
        metrics_counter("baro_saga_taken_over_total", "Sagas taken over from others.", NULL);
    sagas->held =
        metrics_counter("baro_saga_held_total", "Sagas that were silent for too long.", NULL);
    sagas->unreadable =
        metrics_counter("baro_saga_unreadable_total", "Sagas that were parked unread.", NULL);
}

static struct status start_transport(struct sagas *sagas, const struct sagas_options *options)
{
    const struct saga_participant participants[] = {
        {"user",    options->user_bus,    options->user   },
        {"product", options->product_bus, options->product},
        {"coupon",  options->coupon_bus,  options->coupon },
    };
    return saga_transport_start(
        &(struct saga_transport_options){.publisher = options->publisher,
                                         .instance = options->instance,
                                         .secret = options->secret,
                                         .participants = participants,
                                         .participant_count = COUNT(participants)},
        &sagas->transport);
}

struct status sagas_start(const struct sagas_options *options, struct sagas **out)
{
    struct arena *arena = arena_create();
    struct sagas *sagas = arena_alloc(arena, sizeof(*sagas));
    *sagas = (struct sagas){
        .arena = arena,
        .dispatcher = options->dispatcher,
        .owner = text_printf(arena, "%s#%08x", options->instance, randombytes_random()),
        .lease_ms = options->lease_ms,
    };
    struct status st = start_transport(sagas, options);
    if (failed(st)) {
        arena_destroy(arena);
        return st;
    }
    const struct saga_ports ports = {
        .context = sagas,
        .now_us = monotonic_now,
        .wall_us = wall_now,
        .random = jitter,
        .publish = publish_commands,
        .ask = ask_command,
        .record = record_saga,
        .ended = saga_ended,
    };
    register_metrics(sagas);
    pthread_mutex_init(&sagas->lock, NULL);
    pthread_cond_init(&sagas->all_left, NULL);
    sagas->runner = saga_runner_create(&ports, &options->runner);
    sagas->waiters = waiters_create(answer_impatient, sagas);
    saga_transport_bind(sagas->transport, sagas->runner);
    saga_runner_thread_start(sagas->runner);
    *out = sagas;
    return OK;
}

void sagas_stop(struct sagas *sagas)
{
    if (!sagas)
        return;
    saga_transport_bind(sagas->transport, NULL);
    await_all_left(sagas);
}

void sagas_destroy(struct sagas *sagas)
{
    if (!sagas)
        return;
    saga_runner_destroy(sagas->runner);
    saga_transport_destroy(sagas->transport);
    waiters_destroy(sagas->waiters);
    pthread_cond_destroy(&sagas->all_left);
    pthread_mutex_destroy(&sagas->lock);
    arena_destroy(sagas->arena);
}

const char *sagas_owner(const struct sagas *sagas)
{
    return sagas->owner;
}

int64_t sagas_lease_ms(const struct sagas *sagas)
{
    return sagas->lease_ms;
}

static struct saga_start start_of(const struct saga_row *row)
{
    return (struct saga_start){
        .id = row->id,
        .definition = saga_definition_of(row->kind),
        .context = {row->context.data, row->context.size},
        .state = row->state,
        .failure = row->failure,
        .created_at_us = row->created_at_us,
        .age_us = row->age_us,
        .held = row->held,
        .parked = row->parked,
    };
}

static void start_sagas(struct sagas *sagas, const struct saga_row *const *rows, size_t count)
{
    SCOPED(arena) *arena = arena_create();
    struct saga_start *starts = arena_array(arena, count + 1, sizeof(*starts));
    for (size_t i = 0; i < count; i++)
        starts[i] = start_of(rows[i]);
    saga_runner_start(sagas->runner, starts, count);
}

// The answer must be back before the caller's time is over.
static int64_t patience_ms(const struct call *call, int64_t wait_ms)
{
    int64_t left_ms = (call->deadline_us - clock_monotonic_us()) / US_PER_MS - ANSWER_MS;
    return wait_ms < left_ms ? wait_ms : left_ms;
}

void sagas_launch(struct sagas *sagas, const struct launch *launches, size_t count)
{
    if (count == 0 || !enter(sagas))
        return;
    SCOPED(arena) *arena = arena_create();
    const struct saga_row **rows = arena_array(arena, count, sizeof(*rows));
    for (size_t i = 0; i < count; i++) {
        rows[i] = launches[i].saga;
        if (launches[i].call && launches[i].wait_ms <= 0)
            read_order(sagas, rows[i]->order_id, launches[i].call, order_read);
        else if (launches[i].call)
            waiters_add(sagas->waiters, rows[i]->id, rows[i]->order_id, launches[i].call,
                        patience_ms(launches[i].call, launches[i].wait_ms));
    }
    start_sagas(sagas, rows, count);
    leave(sagas);
}

struct call *sagas_settle(struct sagas *sagas, int64_t saga_id, struct status st,
                          const ProtobufCMessage *reply)
{
    struct call *call = waiters_take(sagas->waiters, saga_id);
    if (call && failed(st))
        call_refuse(call, st);
    else if (call)
        call_reply(call, reply);
    return call;
}

bool sagas_retry(struct sagas *sagas, int64_t saga_id)
{
    if (!enter(sagas))
        return false;
    bool found = saga_runner_retry(sagas->runner, saga_id);
    leave(sagas);
    return found;
}

// NULL for a kind or a context of another version of this program, or one that is damaged.
static const ProtobufCMessage *read_context(const struct saga_row *row, struct arena *arena)
{
    const struct saga_definition *definition = saga_definition_of(row->kind);
    return definition
               ? protobuf_unpack(definition->context, row->context.size, row->context.data, arena)
               : NULL;
}

static void log_taken_over(const struct saga_row *row, const ProtobufCMessage *context,
                           struct arena *arena)
{
    log_info("saga taken over", log_int("saga_id", row->id), log_int("order_id", row->order_id),
             log_text("kind", row->kind),
             log_text("trace_id", trace_id_of(saga_traceparent(context), arena)));
}

static struct status park_unreadable(struct sagas *sagas, struct db *db, const int64_t *ids,
                                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        log_error("saga that cannot be read is parked", log_int("saga_id", ids[i]));
    metric_add(sagas->unreadable, (int64_t)count);
    return count ? store_park_sagas(db, sagas->owner, ids, count, UNREADABLE_FOR_MS) : OK;
}

static struct status take_over(struct sagas *sagas, struct db *db, size_t *count)
{
    SCOPED(arena) *arena = arena_create();
    struct saga_set set;
    struct status st =
        store_take_over(db, arena, sagas->owner, sagas->lease_ms, TAKE_OVER_LIMIT, &set);
    if (failed(st))
        return st;
    *count = set.count;
    if (set.count)
        fault_point("saga", "taken-over");
    const struct saga_row **rows = arena_array(arena, set.count + 1, sizeof(*rows));
    int64_t *unreadable = arena_array(arena, set.count + 1, sizeof(*unreadable));
    size_t known = 0, unknown = 0;
    for (size_t i = 0; i < set.count; i++) {
        const ProtobufCMessage *context = read_context(&set.rows[i], arena);
        if (!context) {
            unreadable[unknown++] = set.rows[i].id;
            continue;
        }
        rows[known++] = &set.rows[i];
        log_taken_over(&set.rows[i], context, arena);
    }
    metric_add(sagas->taken_over, (int64_t)known);
    start_sagas(sagas, rows, known);
    return park_unreadable(sagas, db, unreadable, unknown);
}

struct status sagas_keep(struct sagas *sagas, struct db *db)
{
    SCOPED(arena) *arena = arena_create();
    int64_t *ids;
    size_t count = saga_runner_list(sagas->runner, arena, &ids);
    struct status st = OK;
    if (count)
        st = store_renew_leases(db, sagas->owner, ids, count, sagas->lease_ms);
    for (count = TAKE_OVER_LIMIT; count == TAKE_OVER_LIMIT && !failed(st);)
        st = take_over(sagas, db, &count);
    return st;
}

struct status sagas_release(struct sagas *sagas, struct db *db)
{
    return store_release_leases(db, sagas->owner);
}
