// One address: its socket, and what is known of its health.
//
// The breaker opens after FAILURES_MAX transport failures in a row, or when a ping stays unanswered
// (a stopped process keeps its connections). Only an answered ping closes it: no call of a user is
// spent on finding out.

#include "lib/rpc/client_private.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/line.h"
#include "lib/rpc/nng.h"

#include <nng/protocol/reqrep0/req.h>
#include <sched.h>
#include <stdlib.h>

enum {
    FAILURES_MAX = 5,
    PING_PERIOD_MS = 1000,
    PING_TIMEOUT_MS = 1000,
};

bool replica_is_usable(const struct replica *replica)
{
    return replica->pipe && !replica->open && replica->serving && !replica->vanished;
}

bool replica_is_ready(const struct replica *replica)
{
    return replica_is_usable(replica) && replica->answers;
}

static void set_breaker(struct replica *replica, bool open)
{
    if (replica->open != open)
        metric_add(replica->client->open_breakers, open ? 1 : -1);
    replica->open = open;
    if (!open)
        replica->failures = 0;
}

void replica_failed(struct replica *replica)
{
    if (++replica->failures >= FAILURES_MAX)
        set_breaker(replica, true);
}

// Calls that may be sent again need not wait for a replica that does not even answer pings.
static void give_up_on_idempotent_calls(struct replica *replica, struct client_call **ended)
{
    struct client_call *call, *next;
    HASH_ITER (hh, replica->calls, call, next)
        if (call->idempotent)
            exchange_end_call(replica, call, TRY_LOST, NULL, ended);
}

static void ping_failed(struct replica *replica, struct client_call **ended)
{
    replica->answers = false;
    set_breaker(replica, true);
    give_up_on_idempotent_calls(replica, ended);
}

static bool read_health(struct replica *replica, nng_msg *message, bool *serving)
{
    SCOPED(arena) *arena = arena_create();
    const Baro__RpcReplies *replies = (const Baro__RpcReplies *)envelope_open(
        &replica->client->key, message, &baro__rpc_replies__descriptor, arena);
    if (!replies || replies->n_replies != 1 || replies->replies[0]->code != STATUS_OK)
        return false;
    const Baro__RpcReply *reply = replies->replies[0];
    const ProtobufCMessage *payload = protobuf_unpack(
        &baro__health_reply__descriptor, reply->payload.len, reply->payload.data, arena);
    if (payload)
        *serving = ((const Baro__HealthReply *)payload)->serving;
    return payload != NULL;
}

static void ping_ended(struct replica *replica, nng_msg *message)
{
    struct rpc_client *client = replica->client;
    struct client_call *ended = NULL;
    bool serving = false;
    bool answered = message && read_health(replica, message, &serving);
    nng_msg_free(message);
    pthread_mutex_lock(&client->lock);
    replica->ping.busy = false;
    replica->next_ping_us = clock_monotonic_us() + PING_PERIOD_MS * US_PER_MS;
    if (answered && replica->pipe) {
        replica->answers = true;
        replica->serving = serving;
        set_breaker(replica, false);
    } else {
        ping_failed(replica, &ended);
    }
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    client_finish_all(ended);
}

// Receives only now that the request is sent: before, a timeout would leave the context confused.
static void ping_moved(void *arg)
{
    struct exchange *ping = arg;
    int error = nng_aio_result(ping->aio);
    if (ping->phase == EXCHANGE_SENDING && error) {
        nng_msg_free(nng_aio_get_msg(ping->aio));
        nng_aio_set_msg(ping->aio, NULL);
        ping_ended(ping->replica, NULL);
    } else if (ping->phase == EXCHANGE_SENDING) {
        ping->phase = EXCHANGE_RECEIVING;
        nng_aio_set_timeout(ping->aio, PING_TIMEOUT_MS);
        nng_ctx_recv(ping->context, ping->aio);
    } else {
        ping_ended(ping->replica, error ? NULL : nng_aio_get_msg(ping->aio));
    }
}

void replica_ping(struct replica *replica)
{
    SCOPED(arena) *arena = arena_create();
    Baro__RpcRequest request;
    baro__rpc_request__init(&request);
    request.method = protobuf_text("baro.Health/Check");
    request.timeout_ms = PING_TIMEOUT_MS;
    request.attempt = 1;
    struct parcel_item item = parcel_pack(&request.base, arena);
    struct parcel parcel;
    parcel_begin(&parcel, item.size);
    parcel_add(&parcel, item);
    replica->ping.parcel = parcel.message;
    atomic_fetch_add(&replica->starting, 1);
    exchange_start(&replica->ping);
}

// A pipe may be gone before it was there: one that is no server's always is.
static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct replica *replica = arg;
    struct rpc_client *client = replica->client;
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&client->lock);
    if (event == NNG_PIPE_EV_ADD_POST && id != replica->gone) {
        replica->pipe = id;
        replica->serving = true; // until its first answer says otherwise
        replica->next_ping_us = 0;
    } else if (event == NNG_PIPE_EV_REM_POST) {
        replica->gone = id;
        if (id == replica->pipe) {
            replica->pipe = 0;
            replica->answers = false;
        }
    }
    struct resolver *resolver = client->closing ? NULL : client->resolver;
    pthread_cond_signal(&client->wake);
    if (event == NNG_PIPE_EV_REM_POST && resolver)
        resolver_refresh(resolver);
    pthread_mutex_unlock(&client->lock);
}

static int set_options(struct replica *replica)
{
    nng_socket socket = replica->socket;
    int error = socket_set_common_options(socket);
    if (!error)
        error = nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (!error)
        error = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_POST, pipe_changed, replica);
    if (!error)
        error = nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, pipe_changed, replica);
    if (!error)
        error = exchange_open(&replica->ping, replica, ping_moved);
    return error;
}

struct replica *replica_open(struct rpc_client *client, const char *url)
{
    struct replica *replica = memory_alloc(sizeof(*replica));
    replica->client = client;
    replica->url = memory_text(url);
    if (nng_req0_open(&replica->socket) != 0) {
        free(replica->url);
        free(replica);
        return NULL;
    }
    int error = set_options(replica);
    if (!error)
        error = line_dial(replica->socket, url, &replica->line);
    if (!error)
        return replica;
    replica_close(replica);
    return NULL;
}

// nng_close frees the socket although a thread of ours may still be on its way out of one of its
// contexts, and a stopped aio never calls back: so first the calls end, then the threads leave, then
// the socket closes.
static void await_threads(struct replica *replica)
{
    nng_aio_stop(replica->ping.aio);
    for (struct exchange *at = replica->exchanges; at; at = at->next)
        nng_aio_stop(at->aio);
    while (atomic_load(&replica->starting) > 0)
        sched_yield();
}

static void fini_exchange(struct exchange *exchange)
{
    if (exchange->aio && exchange->phase == EXCHANGE_SENDING)
        nng_msg_free(nng_aio_get_msg(exchange->aio)); // it could not leave any more
    nng_aio_free(exchange->aio);
}

void replica_close(struct replica *replica)
{
    await_threads(replica);
    line_close(replica->line);
    nng_close(replica->socket);
    fini_exchange(&replica->ping);
    struct exchange *next;
    for (struct exchange *at = replica->exchanges; at; at = next) {
        next = at->next;
        fini_exchange(at);
        free(at);
    }
    if (replica->open)
        metric_add(replica->client->open_breakers, -1);
    free(replica->url);
    free(replica);
}
