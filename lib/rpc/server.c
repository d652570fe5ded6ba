// Every REP context is a channel: it receives a parcel of calls, waits until it may carry an answer,
// sends it, and only when that is sent receives again. Which answer it carries is the peer's affair
// (peers.h): replies leave in the order in which they are ready, not with the calls' own channels.
//
// Health is answered on the spot, without the dispatcher and on the channel that asked: a replica
// whose workers are all busy is alive and says so.

#include "lib/rpc/server.h"

#include "lib/base/faults.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/rpc/arena_pool.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/line.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/observe.h"
#include "lib/rpc/peers.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

enum {
    CONTEXTS_DEFAULT = 4096,
};

enum channel_phase { CHANNEL_RECEIVING, CHANNEL_WAITING, CHANNEL_SENDING };

struct channel {
    struct rpc_server *server;
    nng_ctx context;
    nng_aio *aio;
    _Atomic enum channel_phase phase;
    struct parked parked; // while it waits
};

struct rpc_server {
    struct responder responder; // first: the dispatcher hands it back to us
    struct arena *arena;        // of all that lives as long as the server
    struct arena_pool arenas;   // of messages
    struct peers *peers;
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

static void send_parcel(struct channel *channel, struct parcel *parcel)
{
    channel->phase = CHANNEL_SENDING;
    nng_aio_set_msg(channel->aio, parcel_end(parcel, &channel->server->key));
    nng_ctx_send(channel->context, channel->aio);
}

// An answer that cannot travel becomes one that can.
static struct parcel_item pack_reply(const Baro__RpcReply *reply, struct arena *arena)
{
    struct parcel_item item = parcel_pack(&reply->base, arena);
    if (parcel_fits(item))
        return item;
    Baro__RpcReply refusal;
    envelope_fill_status(&refusal, refuse(REASON_INTERNAL, "the reply is too large"));
    refusal.call_id = reply->call_id;
    return parcel_pack(&refusal.base, arena);
}

static void respond(struct responder *responder, struct call *call, const Baro__RpcReply *reply)
{
    const struct rpc_server *server = (struct rpc_server *)responder;
    peers_answer(server->peers, call_token(call), pack_reply(reply, call->arena));
}

static struct channel *channel_of(struct parked *parked)
{
    return (struct channel *)((char *)parked - offsetof(struct channel, parked));
}

// Sends what is ready, as far as there are channels to carry it.
static void flush(struct responder *responder)
{
    const struct rpc_server *server = (struct rpc_server *)responder;
    struct parked *parked;
    struct parcel parcel;
    while ((parked = peers_next(server->peers, &parcel)))
        send_parcel(channel_of(parked), &parcel);
}

static struct parcel_item pack_answer(const Baro__RpcRequest *request,
                                      const ProtobufCMessage *payload, struct arena *arena)
{
    Baro__RpcReply reply;
    envelope_fill_status(&reply, OK);
    reply.call_id = request->call_id;
    reply.payload.data = protobuf_pack(payload, arena, &reply.payload.len);
    return pack_reply(&reply, arena);
}

static struct parcel_item check(const struct rpc_server *server, const Baro__RpcRequest *request,
                                struct arena *arena)
{
    Baro__HealthReply health;
    baro__health_reply__init(&health);
    health.serving = atomic_load(&server->serving);
    health.instance = protobuf_text(server->options.instance);
    return pack_answer(request, &health.base, arena);
}

static struct parcel_item describe(const struct rpc_server *server, const Baro__RpcRequest *request,
                                   struct arena *arena)
{
    Baro__DescribeReply description;
    baro__describe_reply__init(&description);
    description.n_methods =
        dispatcher_describe(server->options.dispatcher, arena, &description.methods);
    return pack_answer(request, &description.base, arena);
}

static struct parcel_item observe_all(const struct rpc_server *server,
                                      const Baro__RpcRequest *request, struct arena *arena)
{
    return pack_answer(request, &observe(server->options.instance, arena)->base, arena);
}

static struct parcel_item suffer(const struct rpc_server *server, const Baro__RpcRequest *request,
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
    (void)server;
    return pack_answer(request, &nothing.base, arena);
}

static bool always(void)
{
    return true;
}

static const struct health_method {
    const char *name;
    struct parcel_item (*answer)(const struct rpc_server *, const Baro__RpcRequest *,
                                 struct arena *);
    bool (*exists)(void);
} health_methods[] = {
    {"baro.Health/Check",    check,       always            },
    {"baro.Health/Describe", describe,    always            },
    {"baro.Health/Observe",  observe_all, always            },
    {"baro.Health/Suffer",   suffer,      faults_are_allowed},
};

static const struct health_method *health_method(const Baro__RpcRequest *request)
{
    for (size_t i = 0; i < COUNT(health_methods); i++)
        if (strcmp(health_methods[i].name, request->method) == 0 && health_methods[i].exists())
            return &health_methods[i];
    return NULL;
}

static void answer_alone(struct channel *channel, struct parcel_item item)
{
    struct parcel parcel;
    parcel_begin(&parcel, item.size);
    parcel_add(&parcel, item);
    send_parcel(channel, &parcel);
}

static void answer_idle(struct channel *channel)
{
    struct parcel parcel;
    parcel_begin(&parcel, 2);
    parcel_mark_idle(&parcel);
    send_parcel(channel, &parcel);
}

static void take_call(struct rpc_server *server, const Baro__RpcRequest *call, struct peer *peer,
                      struct arena *arena)
{
    const struct health_method *health = health_method(call);
    if (health)
        peers_answer(server->peers, peer, health->answer(server, call, arena));
    else
        dispatcher_submit(server->options.dispatcher, call, &server->responder, peer);
}

static void take_calls(struct channel *channel, uint32_t pipe, const Baro__RpcCalls *calls,
                       struct arena *arena)
{
    struct rpc_server *server = channel->server;
    struct peer *peer;
    channel->phase = CHANNEL_WAITING;
    switch (peers_expect(server->peers, pipe, &channel->parked, calls->n_calls, &peer)) {
    case PEER_GONE:
        receive(channel);
        return;
    case PEER_IDLE:
        answer_idle(channel);
        return;
    case PEER_WAITS:
        break;
    }
    for (size_t i = 0; i < calls->n_calls; i++)
        take_call(server, calls->calls[i], peer, arena);
    flush(&server->responder); // replies may have waited for a channel, or channels be too many
}

// Nothing is answered: whoever sends noise learns nothing, and a mistyped secret shows in the log.
static void drop_noise(struct channel *channel)
{
    static struct log_throttle throttle;
    metric_add(channel->server->noise, 1);
    if (log_once_per(&throttle, LOG_PERIOD_MS))
        log_warn("dropped a message that is not ours",
                 log_text("listen", channel->server->options.listen),
                 log_int("dropped_total", metric_value(channel->server->noise)));
    receive(channel);
}

static void received(struct channel *channel)
{
    struct rpc_server *server = channel->server;
    nng_msg *message = nng_aio_get_msg(channel->aio);
    uint32_t pipe = nng_msg_get_pipe(message).id;
    struct arena *arena = arena_pool_acquire(&server->arenas);
    const Baro__RpcCalls *calls = (const Baro__RpcCalls *)envelope_open(
        &server->key, message, &baro__rpc_calls__descriptor, arena);
    nng_msg_free(message);
    const struct health_method *health =
        calls && calls->n_calls == 1 ? health_method(calls->calls[0]) : NULL;
    if (!calls)
        drop_noise(channel);
    else if (health)
        answer_alone(channel, health->answer(server, calls->calls[0], arena));
    else
        take_calls(channel, pipe, calls, arena);
    arena_pool_release(&server->arenas, arena);
}

// Before a connection's first message, and after its end: what waits to answer it receives again.
static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct rpc_server *server = arg;
    struct parked *parked, *next;
    if (event == NNG_PIPE_EV_ADD_PRE) {
        peers_join(server->peers, pipe.id);
        return;
    }
    for (parked = peers_leave(server->peers, pipe.id); parked; parked = next) {
        next = parked->next;
        receive(channel_of(parked));
    }
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
        error = nng_pipe_notify(server->socket, NNG_PIPE_EV_ADD_PRE, pipe_changed, server);
    if (!error)
        error = nng_pipe_notify(server->socket, NNG_PIPE_EV_REM_POST, pipe_changed, server);
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
        .peers = peers_create(),
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

// nng_close frees the socket although a callback of ours may still be on its way out of one of its
// contexts: they end first, and what they could not send any more goes. Calls that outlived the drain
// may be answered at any moment: the process is ending, and what they hold ends with it.
void rpc_server_destroy(struct rpc_server *server)
{
    if (!server)
        return;
    line_close(server->line);
    for (size_t i = 0; i < server->channel_count; i++)
        nng_aio_stop(server->channels[i].aio);
    if (peers_under_way(server->peers))
        return;
    nng_close(server->socket);
    for (size_t i = 0; i < server->channel_count; i++) {
        if (server->channels[i].phase == CHANNEL_SENDING)
            drop_unsent(&server->channels[i]);
        nng_aio_free(server->channels[i].aio);
    }
    peers_destroy(server->peers);
    arena_pool_fini(&server->arenas);
    arena_destroy(server->arena);
}
