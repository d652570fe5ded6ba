// The store keeps nothing: what lib/rpc must get right is when it begins, commits and rolls back.

#include "tests/support/stand.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <assert.h>
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
    (void)tx;
    assert(deadline_us > 0);
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
    for (size_t i = 0; (call = batch_next(batch, &i));)
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
