// One dispatcher with a row for every method of every descriptor; one handler that looks the answer
// up in the script.

#include "tests/integration/gateway/fakes.h"

#include "gateway/transcode.h"
#include "lib/base/clock.h"
#include "lib/base/protobuf.h"
#include "lib/bus/bus.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/server.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRIPTS_MAX = 64, HELD_MAX = 64 };

struct script {
    const char *method;
    const ProtobufCMessage *message;
    struct status status;
    bool hold;
};

struct stage {
    struct arena *arena;
    struct gateway_settings settings;
    struct gateway *gateway;
    struct dispatcher *dispatcher;
    struct rpc_server *server, *coupon; // coupon's is one of its own
    struct publisher *publisher;        // of the order service
    struct stand_store store;
    struct signer *signer;
    pthread_mutex_t lock;
    struct script scripts[SCRIPTS_MAX];
    size_t script_count;
    struct call *held[HELD_MAX];
    int held_count;
    struct asked asked;
};

static struct script *find_script(struct stage *stage, const char *method)
{
    for (size_t i = 0; i < stage->script_count; i++)
        if (strcmp(stage->scripts[i].method, method) == 0)
            return &stage->scripts[i];
    return NULL;
}

static void remember(struct stage *stage, const struct call *call)
{
    struct asked *asked = &stage->asked;
    size_t size;
    uint8_t *bytes = protobuf_pack(call->request, stage->arena, &size);
    snprintf(asked->method, sizeof(asked->method), "%s", call->method->name);
    snprintf(asked->key, sizeof(asked->key), "%s", call->idempotency_key);
    snprintf(asked->traceparent, sizeof(asked->traceparent), "%s", call->traceparent);
    asked->caller = call->caller;
    asked->request = protobuf_unpack(call->request->descriptor, size, bytes, stage->arena);
    asked->count++;
}

static void settle(struct call *call, const struct script *script)
{
    if (!script)
        call_refuse(call, refuse(REASON_NOT_IMPLEMENTED, "the test has no script for this"));
    else if (failed(script->status))
        call_refuse(call, script->status);
    else
        call_reply(call, script->message);
}

static struct status play(struct batch *batch)
{
    struct stage *stage = batch->service;
    struct call *call;
    pthread_mutex_lock(&stage->lock);
    for (size_t i = 0; (call = batch_next(batch, &i));) {
        const struct script *script = find_script(stage, call->method->name);
        if (strcmp(call->method->name, "GetKeys") != 0)
            remember(stage, call);
        if (script && script->hold)
            call_defer(call);
        else
            settle(call, script);
    }
    pthread_mutex_unlock(&stage->lock);
    return OK;
}

// The batch has let go of its calls: from here on the deferred ones are the test's.
static void keep_deferred(struct batch *batch)
{
    struct stage *stage = batch->service;
    pthread_mutex_lock(&stage->lock);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->calls[i]->deferred)
            stage->held[stage->held_count++] = batch->calls[i];
    pthread_mutex_unlock(&stage->lock);
}

static const struct method_table *make_table(struct arena *arena,
                                             const ProtobufCServiceDescriptor *service)
{
    struct method *methods = arena_array(arena, service->n_methods, sizeof(*methods));
    for (unsigned i = 0; i < service->n_methods; i++)
        methods[i] = (struct method){.name = service->methods[i].name,
                                     .kind = METHOD_WRITE,
                                     .access = ACCESS_ANYBODY,
                                     .handle = play,
                                     .committed = keep_deferred};
    struct method_table *table = arena_alloc(arena, sizeof(*table));
    *table = (struct method_table){service, methods, service->n_methods};
    return table;
}

static void start_services(struct stage *stage)
{
    stage->dispatcher = dispatcher_create(&(struct dispatcher_options){
        .transaction = &stand_transaction,
        .transaction_context = &stage->store,
        .service = stage,
    });
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        struct status st =
            dispatcher_add(stage->dispatcher, make_table(stage->arena, service_descriptors[i]));
        cr_assert(!failed(st), "%s", st.message);
    }
    dispatcher_start(stage->dispatcher);
    const struct rpc_server_options options = {
        .listen = "tcp://127.0.0.1:0",
        .secret = STAND_SECRET,
        .instance = "fakes",
        .contexts = 64,
        .dispatcher = stage->dispatcher,
    };
    struct status st = rpc_server_start(&options, &stage->server);
    if (!failed(st))
        st = rpc_server_start(&options, &stage->coupon);
    cr_assert(!failed(st), "%s", st.message);
    st = publisher_start("tcp://127.0.0.1:0", STAND_SECRET, &stage->publisher);
    cr_assert(!failed(st), "%s", st.message);
}

static void publish_keys(struct stage *stage)
{
    Baro__User__KeySet *set =
        (Baro__User__KeySet *)message_create(&baro__user__key_set__descriptor, stage->arena);
    set->keys = arena_array(stage->arena, 1, sizeof(*set->keys));
    set->keys[0] = signer_jwk(stage->signer, stage->arena);
    set->n_keys = 1;
    stage_reply(stage, "GetKeys", &set->base);
}

static bool is_ready(void *arg)
{
    return gateway_readiness(arg) == GATEWAY_READY;
}

struct stage *stage_open(void (*tune)(struct gateway_settings *settings))
{
    cr_assert(sodium_init() >= 0);
    cr_assert(!failed(nng_prepare()));
    static bool quiet; // threads of another stage may run already
    if (!quiet)
        log_init("test", LOG_LEVEL_OFF);
    quiet = true;
    struct stage *stage = calloc(1, sizeof(*stage));
    stage->arena = arena_create();
    pthread_mutex_init(&stage->lock, NULL);
    stage->signer = signer_create("0123456789abcdef");
    publish_keys(stage);
    start_services(stage);
    const char *address =
        text_printf(stage->arena, "tcp://127.0.0.1:%d", rpc_server_port(stage->server));
    const char *coupon =
        text_printf(stage->arena, "tcp://127.0.0.1:%d", rpc_server_port(stage->coupon));
    stage->settings = (struct gateway_settings){
        .http_address = "127.0.0.1:0",
        .rpc = {[USER_RPC] = address,
                [PRODUCT_RPC] = address,
                [ORDER_RPC] = address,
                [COUPON_RPC] = coupon},
        .secret = STAND_SECRET,
        .cors_origins = "",
        .http_threads = 1,
        .connections_max = 1000,
        .connection_limits = {.head_ms = 10000, .body_ms = 10000, .rest_ms = 10000},
        .streams =
            {
                .bus = text_printf(stage->arena, "tcp://127.0.0.1:%d",
                publisher_port(stage->publisher)),
                .max = 5,
                .max_per_user = 3,
                .look_ms = 60000,
                .heartbeat_ms = 14000,
                .lifetime_ms = 600000,
                },
        .rpc_in_flight = 1000,
        .drain_ms = 5000,
    };
    if (tune)
        tune(&stage->settings);
    struct status st = gateway_start(&stage->settings, &stage->gateway);
    cr_assert(!failed(st), "%s", st.message);
    cr_assert(stand_wait(is_ready, stage->gateway, 10000), "the gateway does not become ready");
    return stage;
}

void stage_stop_gateway(struct stage *stage)
{
    gateway_stop(stage->gateway);
    stage->gateway = NULL;
}

void stage_kill_coupon(struct stage *stage)
{
    rpc_server_destroy(stage->coupon);
    stage->coupon = NULL;
}

void stage_kill_services(struct stage *stage)
{
    dispatcher_drain(stage->dispatcher, 1000);
    rpc_server_destroy(stage->server);
    stage_kill_coupon(stage);
    dispatcher_destroy(stage->dispatcher);
    stage->server = NULL;
    stage->dispatcher = NULL;
}

void stage_close(struct stage *stage)
{
    stage_release(stage);
    stage_stop_gateway(stage);
    if (stage->server)
        stage_kill_services(stage);
    publisher_destroy(stage->publisher);
    signer_destroy(stage->signer);
    arena_destroy(stage->arena);
    free(stage);
}

int stage_port(const struct stage *stage)
{
    return gateway_port(stage->gateway);
}

struct gateway *stage_gateway(struct stage *stage)
{
    return stage->gateway;
}

struct arena *stage_arena(struct stage *stage)
{
    return stage->arena;
}

static void set_script(struct stage *stage, struct script script)
{
    pthread_mutex_lock(&stage->lock);
    struct script *slot = find_script(stage, script.method);
    if (!slot)
        slot = &stage->scripts[stage->script_count++];
    *slot = script;
    pthread_mutex_unlock(&stage->lock);
}

void stage_reply(struct stage *stage, const char *method, const ProtobufCMessage *message)
{
    set_script(stage, (struct script){.method = method, .message = message});
}

void stage_refuse(struct stage *stage, const char *method, struct status st)
{
    set_script(stage, (struct script){.method = method, .status = st});
}

void stage_hold(struct stage *stage, const char *method)
{
    pthread_mutex_lock(&stage->lock);
    struct script *script = find_script(stage, method);
    cr_assert(script, "give %s an answer first", method);
    script->hold = true;
    pthread_mutex_unlock(&stage->lock);
}

void stage_ring(struct stage *stage, int64_t order_id)
{
    Baro__Event event;
    baro__event__init(&event);
    event.key = order_id;
    Baro__BusMessage message;
    baro__bus_message__init(&message);
    message.events = (Baro__Event *[]){&event};
    message.n_events = 1;
    publish(stage->publisher, "order.events", &message);
}

void stage_release(struct stage *stage)
{
    pthread_mutex_lock(&stage->lock);
    for (size_t i = 0; i < stage->script_count; i++)
        stage->scripts[i].hold = false;
    int count = stage->held_count;
    stage->held_count = 0;
    for (int i = 0; i < count; i++) {
        settle(stage->held[i], find_script(stage, stage->held[i]->method->name));
        call_finish(stage->held[i]);
    }
    pthread_mutex_unlock(&stage->lock);
}

struct held_wait {
    struct stage *stage;
    int count;
};

static bool holds_enough(void *arg)
{
    struct held_wait *wait = arg;
    pthread_mutex_lock(&wait->stage->lock);
    bool enough = wait->stage->held_count >= wait->count;
    pthread_mutex_unlock(&wait->stage->lock);
    return enough;
}

bool stage_await_held(struct stage *stage, int count)
{
    return stand_wait(holds_enough, &(struct held_wait){stage, count}, 5000);
}

struct asked stage_asked(struct stage *stage)
{
    pthread_mutex_lock(&stage->lock);
    struct asked asked = stage->asked;
    pthread_mutex_unlock(&stage->lock);
    return asked;
}

const char *stage_token(struct stage *stage, const char *role)
{
    return signer_token(stage->signer, stage->arena, good_claims(role));
}
