// Every REP context is a channel: it receives a request, waits for the answer, sends it, and only
// when that is sent receives again. Channels share nothing but counters, so there is no lock here.
//
// Health is answered on the spot, without the dispatcher: a replica whose workers are all busy is
// alive and says so.

#include "lib/rpc/server.h"

#include "lib/base/faults.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/rpc/arena_pool.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/line.h"
#include "lib/rpc/observe.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

enum {
    CONTEXTS_DEFAULT = 4096,
    NOISE_LOG_PERIOD_MS = 60 * 1000,
};

enum channel_phase { CHANNEL_RECEIVING, CHANNEL_WORKING, CHANNEL_SENDING };

struct channel {
    struct rpc_server *server;
    nng_ctx context;
    nng_aio *aio;
    _Atomic enum channel_phase phase;
};

struct rpc_server {
    struct responder responder; // first: the dispatcher hands it back to us
    struct arena *arena;        // of all that lives as long as the server
    struct arena_pool arenas;   // of messages
    struct rpc_server_options options;
    struct seal_key key;
    nng_socket socket;
    struct line *line;
    struct channel *channels;
    size_t channel_count;
    atomic_bool serving;
    struct metric *noise;
};

static void receive(struct channel *channel)
{
    channel->phase = CHANNEL_RECEIVING;
    nng_ctx_recv(channel->context, channel->aio);
}

static void send_message(struct channel *channel, nng_msg *message)
{
    channel->phase = CHANNEL_SENDING;
    nng_aio_set_msg(channel->aio, message);
    nng_ctx_send(channel->context, channel->aio);
}

// An answer that cannot travel becomes one that can.
static void send_reply(struct channel *channel, const Baro__RpcReply *reply)
{
    const struct seal_key *key = &channel->server->key;
    nng_msg *message;
    struct status st = envelope_seal(key, &reply->base, &message);
    if (failed(st)) {
        Baro__RpcReply refusal;
        envelope_fill_status(&refusal, refuse(REASON_INTERNAL, "the reply is too large"));
        refusal.call_id = reply->call_id;
        st = envelope_seal(key, &refusal.base, &message);
    }
    if (failed(st))
        receive(channel); // out of memory: the caller's deadline answers
    else
        send_message(channel, message);
}

static void respond(struct responder *responder, struct call *call, const Baro__RpcReply *reply)
{
    (void)responder;
    send_reply(call_token(call), reply);
}

// Every answer is a message of its own, gone already.
static void flush(struct responder *responder)
{
    (void)responder;
}

static void reply_with(struct channel *channel, const Baro__RpcRequest *request,
                       const ProtobufCMessage *payload, struct arena *arena)
{
    Baro__RpcReply reply;
    envelope_fill_status(&reply, OK);
    reply.call_id = request->call_id;
    reply.payload.data = protobuf_pack(payload, arena, &reply.payload.len);
    send_reply(channel, &reply);
}

static void answer_check(struct channel *channel, const Baro__RpcRequest *request,
                         struct arena *arena)
{
    Baro__HealthReply health;
    baro__health_reply__init(&health);
    health.serving = atomic_load(&channel->server->serving);
    health.instance = envelope_text(channel->server->options.instance);
    reply_with(channel, request, &health.base, arena);
}

static void answer_describe(struct channel *channel, const Baro__RpcRequest *request,
                            struct arena *arena)
{
    Baro__DescribeReply description;
    baro__describe_reply__init(&description);
    description.n_methods =
        dispatcher_describe(channel->server->options.dispatcher, arena, &description.methods);
    reply_with(channel, request, &description.base, arena);
}

static void answer_observe(struct channel *channel, const Baro__RpcRequest *request,
                           struct arena *arena)
{
    const Baro__Observation *observation = observe(channel->server->options.instance, arena);
    reply_with(channel, request, &observation->base, arena);
}

static void answer_suffer(struct channel *channel, const Baro__RpcRequest *request,
                          struct arena *arena)
{
    static const enum fault faults[] = {
        [BARO__FAULT_KIND__FAULT_KIND_KILL] = FAULT_KILL,
        [BARO__FAULT_KIND__FAULT_KIND_DELAY] = FAULT_DELAY,
        [BARO__FAULT_KIND__FAULT_KIND_DROP_BUS] = FAULT_DROP_BUS,
    };
    const Baro__SufferRequest *wish = (const Baro__SufferRequest *)protobuf_unpack(
        &baro__suffer_request__descriptor, request->payload.len, request->payload.data, arena);
    if (wish && wish->kind > 0 && (size_t)wish->kind < COUNT(faults))
        faults_begin(faults[wish->kind], wish->duration_ms, wish->delay_ms);
    Baro__Empty nothing = BARO__EMPTY__INIT;
    reply_with(channel, request, &nothing.base, arena);
}

static bool always(void)
{
    return true;
}

static const struct {
    const char *method;
    void (*answer)(struct channel *, const Baro__RpcRequest *, struct arena *);
    bool (*exists)(void);
} health_methods[] = {
    {"baro.Health/Check",    answer_check,    always            },
    {"baro.Health/Describe", answer_describe, always            },
    {"baro.Health/Observe",  answer_observe,  always            },
    {"baro.Health/Suffer",   answer_suffer,   faults_are_allowed},
};

static void take_request(struct channel *channel, const Baro__RpcRequest *request,
                         struct arena *arena)
{
    struct rpc_server *server = channel->server;
    channel->phase = CHANNEL_WORKING;
    for (size_t i = 0; i < COUNT(health_methods); i++)
        if (strcmp(health_methods[i].method, request->method) == 0 && health_methods[i].exists()) {
            health_methods[i].answer(channel, request, arena);
            return;
        }
    dispatcher_submit(server->options.dispatcher, request, &server->responder, channel);
}

// Nothing is answered: whoever sends noise learns nothing, and a mistyped secret shows in the log.
static void drop_noise(struct channel *channel)
{
    static struct log_throttle throttle;
    metric_add(channel->server->noise, 1);
    if (log_once_per(&throttle, NOISE_LOG_PERIOD_MS))
        log_warn("dropped a message that is not ours",
                 log_text("listen", channel->server->options.listen),
                 log_int("dropped_total", metric_value(channel->server->noise)));
    receive(channel);
}

static void received(struct channel *channel)
{
    struct rpc_server *server = channel->server;
    nng_msg *message = nng_aio_get_msg(channel->aio);
    struct arena *arena = arena_pool_acquire(&server->arenas);
    const ProtobufCMessage *request =
        envelope_open(&server->key, message, &baro__rpc_request__descriptor, arena);
    nng_msg_free(message);
    if (request)
        take_request(channel, (const Baro__RpcRequest *)request, arena);
    else
        drop_noise(channel);
    arena_pool_release(&server->arenas, arena);
}

static void drop_unsent(struct channel *channel)
{
    nng_msg_free(nng_aio_get_msg(channel->aio));
    nng_aio_set_msg(channel->aio, NULL);
}

static void channel_moved(void *arg)
{
    struct channel *channel = arg;
    int error = nng_aio_result(channel->aio);
    if (error && channel->phase == CHANNEL_SENDING)
        drop_unsent(channel);
    if (error == NNG_ECLOSED || error == NNG_ECANCELED)
        return;
    if (!error && channel->phase == CHANNEL_RECEIVING)
        received(channel);
    else
        receive(channel);
}

static int open_channel(struct rpc_server *server, struct channel *channel)
{
    channel->server = server;
    int error = nng_ctx_open(&channel->context, server->socket);
    if (error)
        return error;
    error = nng_aio_alloc(&channel->aio, channel_moved, channel);
    if (error)
        nng_ctx_close(channel->context);
    else
        server->channel_count++;
    return error;
}

static int open_channels(struct rpc_server *server)
{
    size_t wanted = server->options.contexts ? server->options.contexts : CONTEXTS_DEFAULT;
    server->channels = arena_array(server->arena, wanted, sizeof(*server->channels));
    int error = 0;
    while (!error && server->channel_count < wanted)
        error = open_channel(server, &server->channels[server->channel_count]);
    return error;
}

// Receives before it listens: the first request finds a channel.
static int start_listening(struct rpc_server *server)
{
    int error = socket_set_common_options(server->socket);
    if (!error)
        error = open_channels(server);
    if (error)
        return error;
    for (size_t i = 0; i < server->channel_count; i++)
        receive(&server->channels[i]);
    return line_listen(server->socket, server->options.listen, &server->line);
}

struct status rpc_server_start(const struct rpc_server_options *options, struct rpc_server **server)
{
    struct seal_key key;
    struct status st = seal_key_init(&key, options->secret);
    if (failed(st))
        return st;
    struct arena *arena = arena_create();
    struct rpc_server *made = arena_alloc(arena, sizeof(*made));
    *made = (struct rpc_server){
        .responder = {.respond = respond, .flush = flush},
        .arena = arena,
        .options = *options,
        .key = key,
        .serving = true,
        .noise = metrics_counter("baro_rpc_noise_total", "Messages that were not ours.", NULL),
    };
    made->options.listen = text_copy(arena, options->listen);
    made->options.instance = text_copy(arena, options->instance ? options->instance : "");
    arena_pool_init(&made->arenas);
    int error = nng_rep0_open(&made->socket);
    if (!error)
        error = start_listening(made);
    if (error) {
        rpc_server_destroy(made);
        return status_of_nng(error);
    }
    *server = made;
    return OK;
}

int rpc_server_port(const struct rpc_server *server)
{
    return line_port(server->line);
}

void rpc_server_stop_serving(struct rpc_server *server)
{
    atomic_store(&server->serving, false);
}

static bool is_working(const struct rpc_server *server)
{
    for (size_t i = 0; i < server->channel_count; i++)
        if (server->channels[i].phase == CHANNEL_WORKING)
            return true;
    return false;
}

// nng_close frees the socket although a callback of ours may still be on its way out of one of its
// contexts: they end first, and what they could not send any more goes. Calls that outlived the drain
// hold their channels and may answer at any moment: the process is ending, and what they hold ends
// with it.
void rpc_server_destroy(struct rpc_server *server)
{
    if (!server)
        return;
    line_close(server->line);
    for (size_t i = 0; i < server->channel_count; i++)
        nng_aio_stop(server->channels[i].aio);
    if (is_working(server))
        return;
    nng_close(server->socket);
    for (size_t i = 0; i < server->channel_count; i++) {
        if (server->channels[i].phase == CHANNEL_SENDING)
            drop_unsent(&server->channels[i]);
        nng_aio_free(server->channels[i].aio);
    }
    arena_pool_fini(&server->arenas);
    arena_destroy(server->arena);
}
