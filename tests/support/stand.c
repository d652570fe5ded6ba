// The store keeps nothing: what lib/rpc must get right is when it begins, commits and rolls back.

#include "tests/support/stand.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include "lib/base/protobuf.h"
#include "lib/rpc/envelope.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const ProtobufCMethodDescriptor methods[] = {
    {"Echo", &baro__text__descriptor, &baro__text__descriptor},
};

static const unsigned by_name[] = {0};

const ProtobufCServiceDescriptor stand_service = {
    .magic = PROTOBUF_C__SERVICE_DESCRIPTOR_MAGIC,
    .name = "test.Stand",
    .short_name = "Stand",
    .c_name = "Test__Stand",
    .package = "test",
    .n_methods = COUNT(methods),
    .methods = methods,
    .method_indices_by_name = by_name,
};

static void *open_store(void *context, const char *worker)
{
    (void)worker;
    return context;
}

static void close_store(void *tx)
{
    (void)tx;
}

static struct status begin(void *tx, enum method_kind kind)
{
    (void)kind;
    struct stand_store *store = tx;
    atomic_fetch_add(&store->begins, 1);
    return OK;
}

static struct status now(void *tx, int64_t *now_us)
{
    (void)tx;
    *now_us = clock_realtime_us();
    return OK;
}

static struct status commit(void *tx)
{
    struct stand_store *store = tx;
    struct status st = store->commit ? store->commit(store) : OK;
    if (!failed(st))
        atomic_fetch_add(&store->commits, 1);
    return st;
}

static void rollback(void *tx)
{
    struct stand_store *store = tx;
    atomic_fetch_add(&store->rollbacks, 1);
}

static void set_deadline(void *tx, int64_t deadline_us)
{
    struct stand_store *store = tx;
    assert(deadline_us > 0);
    atomic_store(&store->deadline_us, deadline_us);
}

const struct transaction_ops stand_transaction = {
    .open = open_store,
    .close = close_store,
    .begin = begin,
    .now = now,
    .commit = commit,
    .rollback = rollback,
    .set_deadline = set_deadline,
};

struct status stand_echo(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        call_reply(call, call->request);
    return OK;
}

Baro__Text *stand_text(struct arena *arena, const char *value)
{
    Baro__Text *text = arena_alloc(arena, sizeof(*text));
    baro__text__init(text);
    text->value = text_copy(arena, value);
    return text;
}

const char *stand_value(const struct call *call)
{
    return ((const Baro__Text *)call->request)->value;
}

struct dispatcher *stand_dispatcher(const struct method *echo, struct stand_store *store,
                                    struct dispatcher_options options)
{
    options.transaction = &stand_transaction;
    options.transaction_context = store;
    struct dispatcher *dispatcher = dispatcher_create(&options);
    const struct method_table table = {&stand_service, echo, 1};
    struct status st = dispatcher_add(dispatcher, &table);
    assert(!failed(st));
    dispatcher_start(dispatcher);
    return dispatcher;
}

bool stand_wait(bool (*holds)(void *arg), void *arg, int64_t timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    while (!holds(arg)) {
        if (clock_monotonic_us() > until_us)
            return false;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return true;
}

static void respond(struct responder *responder, struct call *call, const Baro__RpcReply *reply)
{
    struct stand_desk *desk = (struct stand_desk *)responder;
    struct stand_answer *place = call_token(call);
    struct status st = envelope_status(reply);
    SCOPED(arena) *arena = arena_create();
    const ProtobufCMessage *text =
        protobuf_unpack(&baro__text__descriptor, reply->payload.len, reply->payload.data, arena);
    place->code = st.code;
    place->reason = st.reason;
    const char *said = failed(st) ? reply->message : ((const Baro__Text *)text)->value;
    snprintf(place->text, sizeof(place->text), "%s", said);
    atomic_fetch_add(&place->times, 1);
    atomic_fetch_add(&desk->answers, 1);
}

static void flush(struct responder *responder)
{
    struct stand_desk *desk = (struct stand_desk *)responder;
    atomic_fetch_add(&desk->flushes, 1);
}

struct stand_desk *stand_desk_create(void)
{
    struct stand_desk *desk = calloc(1, sizeof(*desk));
    assert(desk);
    desk->responder = (struct responder){.respond = respond, .flush = flush};
    return desk;
}

void stand_desk_destroy(struct stand_desk *desk)
{
    free(desk);
}

static void submit(struct dispatcher *dispatcher, struct stand_desk *desk, size_t place,
                   const char *text, Baro__RpcRequest envelope)
{
    SCOPED(arena) *arena = arena_create();
    envelope.method = protobuf_text(STAND_METHOD);
    envelope.user_id = 7;
    envelope.payload.data =
        protobuf_pack(&stand_text(arena, text)->base, arena, &envelope.payload.len);
    dispatcher_submit(dispatcher, &envelope, &desk->responder, &desk->places[place]);
}

void stand_submit(struct dispatcher *dispatcher, struct stand_desk *desk, size_t place,
                  const char *text, const char *key, uint32_t timeout_ms)
{
    Baro__RpcRequest envelope;
    baro__rpc_request__init(&envelope);
    envelope.timeout_ms = timeout_ms;
    envelope.idempotency_key = protobuf_text(key);
    submit(dispatcher, desk, place, text, envelope);
}

void stand_submit_as(struct dispatcher *dispatcher, struct stand_desk *desk, size_t place,
                     const char *text, enum caller_role role)
{
    Baro__RpcRequest envelope;
    baro__rpc_request__init(&envelope);
    envelope.timeout_ms = 5000;
    envelope.role = role;
    submit(dispatcher, desk, place, text, envelope);
}

struct awaited {
    struct stand_desk *desk;
    int answers;
};

static bool has_answers(void *arg)
{
    struct awaited *awaited = arg;
    return atomic_load(&awaited->desk->answers) >= awaited->answers;
}

bool stand_answered(struct stand_desk *desk, int answers)
{
    struct awaited awaited = {desk, answers};
    return stand_wait(has_answers, &awaited, 5000);
}

static bool is_open(void *arg)
{
    struct stand_gate *gate = arg;
    return atomic_load(&gate->open);
}

static bool is_held(void *arg)
{
    struct stand_gate *gate = arg;
    return atomic_load(&gate->waiting) > 0;
}

void stand_pass(struct stand_gate *gate)
{
    atomic_fetch_add(&gate->waiting, 1);
    stand_wait(is_open, gate, 10 * 1000);
    atomic_fetch_sub(&gate->waiting, 1);
}

bool stand_held(struct stand_gate *gate)
{
    return stand_wait(is_held, gate, 5000);
}
