// How calls travel to one replica and their answers back.
//
// Calls do not wait for company: one leaves at once if nothing else is on its way out. What comes
// while a parcel is being sent, while replies are being handed out, or while somebody corks the
// client, leaves together. The replica answers with whatever is ready, on the context that it has
// had longest, so the replies to a parcel need not come back with its own exchange.
//
// As long as calls are under way at a replica, one exchange at least is out for their answers: when the
// last one comes back and calls are left, an empty parcel asks for them. That is also how a loss shows:
// a connection that ends fails its exchanges, and takes with it what left with them or before; and
// whoever finds nothing under way for an empty parcel answers `idle`: then what left before is lost.

#include "lib/rpc/client_private.h"

#include "lib/base/memory.h"
#include "lib/rpc/envelope.h"

#include <stdlib.h>
#include <utlist.h>

enum { SEND_TIMEOUT_MS = 1000 };

int exchange_open(struct exchange *exchange, struct replica *replica, void (*moved)(void *))
{
    exchange->replica = replica;
    int error = nng_ctx_open(&exchange->context, replica->socket);
    if (error)
        return error;
    error = nng_aio_alloc(&exchange->aio, moved, exchange);
    if (error)
        nng_ctx_close(exchange->context);
    return error;
}

// (lock) NULL when nng has no room for another.
static struct exchange *take(struct replica *replica)
{
    struct exchange *exchange = replica->free;
    if (exchange) {
        replica->free = exchange->next_free;
        return exchange;
    }
    exchange = memory_alloc(sizeof(*exchange));
    if (exchange_open(exchange, replica, exchange_moved) != 0) {
        free(exchange);
        return NULL;
    }
    exchange->next = replica->exchanges;
    replica->exchanges = exchange;
    return exchange;
}

// (lock)
static void give_back(struct exchange *exchange)
{
    struct replica *replica = exchange->replica;
    exchange->next_free = replica->free;
    replica->free = exchange;
    replica->out--;
}

void exchange_add(struct replica *replica, struct client_call *call)
{
    struct rpc_client *client = replica->client;
    call->last = replica;
    call->sequence = 0;
    HASH_ADD(hh, replica->calls, envelope.call_id, sizeof(call->envelope.call_id), call);
    DL_APPEND(replica->outbox, call);
    replica->outbox_bytes += call->packed.size;
    if (call->deadline_us < client->next_deadline_us) {
        client->next_deadline_us = call->deadline_us;
        pthread_cond_signal(&client->wake);
    }
}

// (lock)
static void leave_outbox(struct replica *replica, struct client_call *call)
{
    DL_DELETE(replica->outbox, call);
    replica->outbox_bytes -= call->packed.size;
}

// (lock) What fits of the outbox, in order.
static void gather(struct replica *replica, struct exchange *exchange)
{
    struct parcel parcel;
    struct client_call *call;
    parcel_begin(&parcel, replica->outbox_bytes < PARCEL_BYTES_MAX ? replica->outbox_bytes
                                                                   : PARCEL_BYTES_MAX);
    while ((call = replica->outbox) && !parcel_is_full(&parcel, call->packed)) {
        leave_outbox(replica, call);
        call->sequence = exchange->sequence;
        parcel_add(&parcel, call->packed);
    }
    exchange->parcel = parcel.message;
}

struct exchange *exchange_next(struct replica *replica)
{
    bool asks = replica->calls && replica->out == 0;
    if (replica->sending || replica->client->closing)
        return NULL;
    if (!replica->outbox && !asks)
        return NULL;
    struct exchange *exchange = take(replica);
    if (!exchange)
        return NULL;
    exchange->sequence = ++replica->sequence;
    gather(replica, exchange);
    replica->sending = true;
    replica->out++;
    atomic_fetch_add(&replica->starting, 1);
    return exchange;
}

void exchange_start(struct exchange *exchange)
{
    if (!exchange)
        return;
    struct replica *replica = exchange->replica;
    struct parcel parcel = {exchange->parcel, 0};
    exchange->parcel = NULL;
    exchange->phase = EXCHANGE_SENDING;
    nng_aio_set_timeout(exchange->aio, SEND_TIMEOUT_MS);
    nng_aio_set_msg(exchange->aio, parcel_end(&parcel, &replica->client->key));
    nng_ctx_send(exchange->context, exchange->aio);
    atomic_fetch_sub(&replica->starting, 1); // what was started may have ended by now
}

void exchange_end_call(struct replica *replica, struct client_call *call, enum try_end end,
                       const Baro__RpcReply *reply, struct client_call **ended)
{
    HASH_DEL(replica->calls, call);
    if (call->sequence == 0)
        leave_outbox(replica, call);
    if (end == TRY_ANSWERED)
        replica->failures = 0;
    else if (end == TRY_NOT_SENT || end == TRY_LOST)
        replica_failed(replica);
    if (replica->vanished && !replica->calls)
        pthread_cond_signal(&replica->client->wake);
    if (!client_judge(call, end, reply))
        DL_APPEND(*ended, call);
}

void rpc_client_cork(struct rpc_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->corks++;
    pthread_mutex_unlock(&client->lock);
}

// (lock)
static struct exchange *next_of_any(const struct rpc_client *client)
{
    struct exchange *exchange = NULL;
    for (struct replica *at = client->replicas; at && !exchange; at = at->next)
        exchange = exchange_next(at);
    return exchange;
}

// Corks may overlap for ever, so nobody waits for the last of them.
void rpc_client_uncork(struct rpc_client *client)
{
    struct exchange *exchange;
    pthread_mutex_lock(&client->lock);
    client->corks--;
    while ((exchange = next_of_any(client))) {
        pthread_mutex_unlock(&client->lock);
        exchange_start(exchange);
        pthread_mutex_lock(&client->lock);
    }
    pthread_mutex_unlock(&client->lock);
}

// (lock) Ends the calls that left with exchanges first..last.
static void end_between(struct replica *replica, uint64_t first, uint64_t last, enum try_end end,
                        struct client_call **ended)
{
    struct client_call *call, *next;
    HASH_ITER (hh, replica->calls, call, next)
        if (call->sequence >= first && call->sequence <= last)
            exchange_end_call(replica, call, end, NULL, ended);
}

// A parcel that nobody took did nothing; but an empty one was the last that was out.
static void not_sent(struct exchange *exchange)
{
    struct replica *replica = exchange->replica;
    struct client_call *ended = NULL;
    nng_msg_free(nng_aio_get_msg(exchange->aio));
    nng_aio_set_msg(exchange->aio, NULL);
    pthread_mutex_lock(&replica->client->lock);
    replica->sending = false;
    give_back(exchange);
    end_between(replica, exchange->sequence, exchange->sequence, TRY_NOT_SENT, &ended);
    if (replica->out == 0)
        end_between(replica, 1, exchange->sequence, TRY_LOST, &ended);
    struct exchange *next = exchange_next(replica);
    pthread_mutex_unlock(&replica->client->lock);
    exchange_start(next);
    client_finish_all(ended);
}

// Receives only now that the parcel is sent: before, a failure would leave the context confused.
static void sent(struct exchange *exchange)
{
    struct replica *replica = exchange->replica;
    exchange->phase = EXCHANGE_RECEIVING;
    nng_aio_set_timeout(exchange->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(exchange->context, exchange->aio);
    pthread_mutex_lock(&replica->client->lock);
    replica->sending = false;
    struct exchange *next = replica->client->corks > 0 ? NULL : exchange_next(replica);
    pthread_mutex_unlock(&replica->client->lock);
    exchange_start(next);
}

static void lost(struct exchange *exchange)
{
    struct replica *replica = exchange->replica;
    struct client_call *ended = NULL;
    pthread_mutex_lock(&replica->client->lock);
    give_back(exchange);
    end_between(replica, 1, exchange->sequence, TRY_LOST, &ended);
    struct exchange *next = exchange_next(replica);
    pthread_mutex_unlock(&replica->client->lock);
    exchange_start(next);
    client_finish_all(ended);
}

// (lock) Answers to calls that have ended meanwhile, or went elsewhere, are nobody's.
static void end_answered(struct replica *replica, const Baro__RpcReplies *replies,
                         struct client_call **ended)
{
    for (size_t i = 0; i < replies->n_replies; i++) {
        const Baro__RpcReply *reply = replies->replies[i];
        struct client_call *call;
        HASH_FIND(hh, replica->calls, &reply->call_id, sizeof(reply->call_id), call);
        if (call && call->sequence > 0)
            exchange_end_call(replica, call, TRY_ANSWERED, reply, ended);
    }
}

static void hand_out(struct exchange *exchange, const Baro__RpcReplies *replies)
{
    struct replica *replica = exchange->replica;
    struct rpc_client *client = replica->client;
    struct client_call *ended = NULL;
    pthread_mutex_lock(&client->lock);
    uint64_t sequence = exchange->sequence;
    give_back(exchange);
    client->corks++;
    end_answered(replica, replies, &ended);
    if (replies->idle)
        end_between(replica, 1, sequence - 1, TRY_LOST, &ended);
    pthread_mutex_unlock(&client->lock);
    client_finish_all(ended);
    rpc_client_uncork(client);
}

static void received(struct exchange *exchange)
{
    struct rpc_client *client = exchange->replica->client;
    nng_msg *message = nng_aio_get_msg(exchange->aio);
    struct arena *arena = arena_pool_acquire(&client->arenas);
    const ProtobufCMessage *replies =
        envelope_open(&client->key, message, &baro__rpc_replies__descriptor, arena);
    nng_msg_free(message);
    if (replies)
        hand_out(exchange, (const Baro__RpcReplies *)replies);
    else
        lost(exchange);
    arena_pool_release(&client->arenas, arena);
}

void exchange_moved(void *arg)
{
    struct exchange *exchange = arg;
    int error = nng_aio_result(exchange->aio);
    if (exchange->phase == EXCHANGE_SENDING && error)
        not_sent(exchange);
    else if (exchange->phase == EXCHANGE_SENDING)
        sent(exchange);
    else if (error)
        lost(exchange);
    else
        received(exchange);
}
