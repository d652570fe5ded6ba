// One call to each replica. A replica stays while it has calls without an outcome, so each is given one
// before the lock is let go: a place that is held for the call to come.

#include "lib/rpc/client_private.h"

enum { REPLICAS_MAX = 64 };

// Holds a place at every replica that is connected; returns how many they are.
static size_t hold_places(struct rpc_client *client, struct replica *replicas[REPLICAS_MAX])
{
    size_t count = 0;
    pthread_mutex_lock(&client->lock);
    for (struct replica *at = client->closing ? NULL : client->replicas; at; at = at->next)
        if (at->pipe && !at->vanished && count < REPLICAS_MAX) {
            at->places++;
            replicas[count++] = at;
        }
    pthread_mutex_unlock(&client->lock);
    return count;
}

// Gives the place up, for the call if *st lets it leave.
static struct exchange *take_place(struct replica *replica, struct client_call *call,
                                   struct status *st)
{
    struct rpc_client *client = replica->client;
    struct exchange *exchange = NULL;
    pthread_mutex_lock(&client->lock);
    if (!failed(*st) && client->closing)
        *st = refuse(REASON_UNAVAILABLE, "shutting down");
    if (!failed(*st)) {
        exchange_add(replica, call);
        exchange = client->corks > 0 ? NULL : exchange_next(replica);
    }
    replica->places--;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    return exchange;
}

static void send_to(struct replica *replica, struct client_call *call, struct status st)
{
    if (call) {
        call->directed = true;
        st = client_pack(call);
    }
    struct exchange *exchange = take_place(replica, call, &st);
    if (call && failed(st))
        client_finish(call, st, NULL);
    exchange_start(exchange);
}

size_t rpc_call_each(struct rpc_client *client, const struct rpc_request *request, rpc_done *done,
                     void *arg)
{
    struct replica *replicas[REPLICAS_MAX];
    size_t count = hold_places(client, replicas);
    for (size_t i = 0; i < count; i++) {
        struct status st;
        struct client_call *call = client_begin(client, request, done, arg, &st);
        send_to(replicas[i], call, st);
        if (!call)
            done(arg, st, NULL);
    }
    return count;
}
