// The blocking form of a call, for tools, jobs and tests.

#include "lib/rpc/client.h"

#include "lib/base/protobuf.h"

#include <pthread.h>

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool done;
    struct arena *arena;
    const ProtobufCMessageDescriptor *output;
    struct status status;
    ProtobufCMessage *reply;
};

// The waiting thread owns the arena and sleeps, so this one may use it.
static void keep(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct outcome *outcome = arg;
    st = status_keep(st, outcome->arena);
    if (!failed(st) && outcome->output) {
        outcome->reply = protobuf_unpack(outcome->output, reply->payload.len, reply->payload.data,
                                         outcome->arena);
        if (!outcome->reply)
            st = refuse(REASON_INTERNAL, "the reply is malformed");
    }
    pthread_mutex_lock(&outcome->lock);
    outcome->status = st;
    outcome->done = true;
    pthread_cond_signal(&outcome->arrived);
    pthread_mutex_unlock(&outcome->lock);
}

struct status rpc_call_wait(struct rpc_client *client, const struct rpc_request *request,
                            const ProtobufCMessageDescriptor *output, struct arena *arena,
                            ProtobufCMessage **reply)
{
    struct outcome outcome = {.arena = arena, .output = reply ? output : NULL};
    pthread_mutex_init(&outcome.lock, NULL);
    pthread_cond_init(&outcome.arrived, NULL);
    rpc_call(client, request, keep, &outcome);
    pthread_mutex_lock(&outcome.lock);
    while (!outcome.done)
        pthread_cond_wait(&outcome.arrived, &outcome.lock);
    pthread_mutex_unlock(&outcome.lock);
    pthread_cond_destroy(&outcome.arrived);
    pthread_mutex_destroy(&outcome.lock);
    if (reply && !failed(outcome.status))
        *reply = outcome.reply;
    return outcome.status;
}
