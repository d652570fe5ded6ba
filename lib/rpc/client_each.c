// One call to each replica. A replica stays while it has calls in flight, so each is given one before
// the lock is let go: a place that is held for the call to come.

#include "lib/rpc/client_private.h"

enum { REPLICAS_MAX = 64 };

// Holds a place at every replica that is connected; returns how many they are.
static size_t hold_places(struct rpc_client *client, struct replica *replicas[REPLICAS_MAX])
{
    size_t count = 0;
    pthread_mutex_lock(&client->lock);
    for (struct replica *at = client->closing ? NULL : client->replicas; at; at = at->next)
        if (at->pipes > 0 && !at->vanished && count < REPLICAS_MAX) {
            at->in_flight++;
            replicas[count++] = at;
        }
    pthread_mutex_unlock(&client->lock);
    return count;
}

// Gives the place up, for the call if there is one.
static struct exchange *take_place(struct replica *replica, struct client_call *call)
{
    struct rpc_client *client = replica->client;
    pthread_mutex_lock(&client->lock);
    struct exchange *exchange = call && !client->closing ? replica_take(replica, call) : NULL;
    replica->in_flight--;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    return exchange;
}

size_t rpc_call_each(struct rpc_client *client, const struct rpc_request *request, rpc_done *done,
                     void *arg)
{
    struct replica *replicas[REPLICAS_MAX];
    size_t count = hold_places(client, replicas);
    for (size_t i = 0; i < count; i++) {
        struct status st;
        struct client_call *call = client_begin(client, request, done, arg, &st);
        struct exchange *exchange = take_place(replicas[i], call);
        if (exchange) {
            call->directed = true;
            client_send(call, exchange);
        } else if (call) {
            client_finish(call, refuse(REASON_UNAVAILABLE, "shutting down"), NULL);
        } else {
            done(arg, st, NULL);
        }
    }
    return count;
}
