// One address: its socket, a context for each call in flight, and what is known of its health.
//
// The breaker opens after FAILURES_MAX transport failures in a row, or when a ping stays unanswered
// (a stopped process keeps its connections). Only an answered ping closes it: no call of a user is
// spent on finding out.

#include "lib/rpc/client_private.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/line.h"

#include <nng/protocol/reqrep0/req.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAILURES_MAX = 5,
    PING_PERIOD_MS = 1000,
    PING_TIMEOUT_MS = 1000,
    SEND_TIMEOUT_MAX_MS = 1000,
};

bool replica_is_usable(const struct replica *replica)
{
    return replica->pipes > 0 && !replica->open && replica->serving && !replica->vanished;
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

// Calls that may be sent again need not wait for a replica that does not even answer pings.
static void give_up_on_idempotent_calls(struct replica *replica)
{
    for (struct exchange *at = replica->exchanges; at; at = at->next)
        if (at->busy && at->call->idempotent)
            nng_aio_abort(at->aio, NNG_ECONNRESET);
}

static void ping_failed(struct replica *replica)
{
    replica->answers = false;
    set_breaker(replica, true);
    give_up_on_idempotent_calls(replica);
}

static bool read_health(struct replica *replica, nng_msg *message, bool *serving)
{
    SCOPED(arena) *arena = arena_create();
    const ProtobufCMessage *opened =
        envelope_open(&replica->client->key, message, &baro__rpc_reply__descriptor, arena);
    if (!opened)
        return false;
    const Baro__RpcReply *reply = (const Baro__RpcReply *)opened;
    const ProtobufCMessage *payload = protobuf_unpack(
        &baro__health_reply__descriptor, reply->payload.len, reply->payload.data, arena);
    if (reply->code != STATUS_OK || !payload)
        return false;
    *serving = ((const Baro__HealthReply *)payload)->serving;
    return true;
}

static void ping_ended(struct replica *replica, nng_msg *message)
{
    struct rpc_client *client = replica->client;
    bool serving = false;
    bool answered = message && read_health(replica, message, &serving);
    nng_msg_free(message);
    pthread_mutex_lock(&client->lock);
    replica->ping.busy = false;
    replica->next_ping_us = clock_monotonic_us() + PING_PERIOD_MS * US_PER_MS;
    if (answered && replica->pipes > 0) {
        replica->answers = true;
        replica->serving = serving;
        set_breaker(replica, false);
    } else {
        ping_failed(replica);
    }
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
}

static void exchange_ended(struct exchange *exchange, enum try_end end, nng_msg *message)
{
    if (exchange->call)
        client_try_ended(exchange, end, message);
    else
        ping_ended(exchange->replica, message);
}

// Receives only now that the request is sent: before, a timeout would leave the context confused.
static void sent(struct exchange *exchange)
{
    int64_t timeout_ms = exchange->call ? client_remaining_ms(exchange->call) : PING_TIMEOUT_MS;
    exchange->phase = EXCHANGE_RECEIVING;
    nng_aio_set_timeout(exchange->aio, (nng_duration)timeout_ms);
    nng_ctx_recv(exchange->context, exchange->aio);
}

static void exchange_moved(void *arg)
{
    struct exchange *exchange = arg;
    int error = nng_aio_result(exchange->aio);
    if (exchange->phase == EXCHANGE_SENDING && error) {
        nng_msg_free(nng_aio_get_msg(exchange->aio));
        nng_aio_set_msg(exchange->aio, NULL);
        exchange_ended(exchange, TRY_NOT_SENT, NULL);
    } else if (exchange->phase == EXCHANGE_SENDING) {
        sent(exchange);
    } else if (error) {
        exchange_ended(exchange, error == NNG_ETIMEDOUT ? TRY_TIMED_OUT : TRY_LOST, NULL);
    } else {
        exchange_ended(exchange, TRY_ANSWERED, nng_aio_get_msg(exchange->aio));
    }
}

void exchange_start(struct exchange *exchange, nng_msg *message, int64_t timeout_ms)
{
    struct replica *replica = exchange->replica;
    if (timeout_ms > SEND_TIMEOUT_MAX_MS)
        timeout_ms = SEND_TIMEOUT_MAX_MS;
    exchange->phase = EXCHANGE_SENDING;
    nng_aio_set_timeout(exchange->aio, (nng_duration)timeout_ms);
    nng_aio_set_msg(exchange->aio, message);
    nng_ctx_send(exchange->context, exchange->aio);
    atomic_fetch_sub(&replica->starting, 1); // what was started may have ended by now
}

void exchange_abandon(struct exchange *exchange)
{
    struct replica *replica = exchange->replica;
    pthread_mutex_lock(&replica->client->lock);
    replica_give_back(exchange, TRY_ANSWERED);
    pthread_mutex_unlock(&replica->client->lock);
    atomic_fetch_sub(&replica->starting, 1);
}

void replica_ping(struct replica *replica)
{
    Baro__RpcRequest request;
    baro__rpc_request__init(&request);
    request.method = envelope_text("baro.Health/Check");
    request.timeout_ms = PING_TIMEOUT_MS;
    request.attempt = 1;
    nng_msg *message;
    if (failed(envelope_seal(&replica->client->key, &request.base, &message))) {
        ping_ended(replica, NULL);
        return;
    }
    atomic_fetch_add(&replica->starting, 1);
    exchange_start(&replica->ping, message, PING_TIMEOUT_MS);
}

static int open_exchange(struct replica *replica, struct exchange *exchange)
{
    exchange->replica = replica;
    int error = nng_ctx_open(&exchange->context, replica->socket);
    if (error)
        return error;
    error = nng_aio_alloc(&exchange->aio, exchange_moved, exchange);
    if (error)
        nng_ctx_close(exchange->context);
    return error;
}

static struct exchange *make_exchange(struct replica *replica)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange || open_exchange(replica, exchange) != 0) {
        free(exchange);
        return NULL;
    }
    exchange->next = replica->exchanges;
    replica->exchanges = exchange;
    return exchange;
}

struct exchange *replica_take(struct replica *replica, struct client_call *call)
{
    struct exchange *exchange = replica->free;
    if (exchange)
        replica->free = exchange->next_free;
    else
        exchange = make_exchange(replica);
    if (!exchange)
        return NULL;
    exchange->busy = true;
    exchange->call = call;
    replica->in_flight++;
    atomic_fetch_add(&replica->starting, 1);
    return exchange;
}

void replica_give_back(struct exchange *exchange, enum try_end end)
{
    struct replica *replica = exchange->replica;
    exchange->busy = false;
    exchange->next_free = replica->free;
    replica->free = exchange;
    replica->in_flight--;
    if (end == TRY_ANSWERED)
        replica->failures = 0;
    else if (end != TRY_TIMED_OUT && ++replica->failures >= FAILURES_MAX)
        set_breaker(replica, true);
    if ((replica->vanished || replica->client->closing) && replica->in_flight == 0)
        pthread_cond_signal(&replica->client->wake);
}

size_t replica_cancel_exchanges(struct replica *replica)
{
    for (struct exchange *at = replica->exchanges; at; at = at->next)
        if (at->busy)
            nng_aio_cancel(at->aio);
    if (replica->ping.busy)
        nng_aio_cancel(replica->ping.aio);
    return replica->in_flight + replica->ping.busy;
}

static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)pipe;
    struct replica *replica = arg;
    struct rpc_client *client = replica->client;
    pthread_mutex_lock(&client->lock);
    if (event == NNG_PIPE_EV_ADD_POST) {
        replica->pipes++;
        replica->serving = true; // until its first answer says otherwise
        replica->next_ping_us = 0;
    } else if (--replica->pipes == 0) {
        replica->answers = false;
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
        error = open_exchange(replica, &replica->ping);
    return error;
}

struct replica *replica_open(struct rpc_client *client, const char *url)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    if (!replica)
        return NULL;
    replica->client = client;
    replica->url = strdup(url);
    if (!replica->url || nng_req0_open(&replica->socket) != 0) {
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

void replica_close(struct replica *replica)
{
    await_threads(replica);
    line_close(replica->line);
    nng_close(replica->socket);
    nng_aio_free(replica->ping.aio);
    struct exchange *next;
    for (struct exchange *at = replica->exchanges; at; at = next) {
        next = at->next;
        nng_aio_free(at->aio);
        free(at);
    }
    if (replica->open)
        metric_add(replica->client->open_breakers, -1);
    free(replica->url);
    free(replica);
}
