#pragma once
// Calls to one service, whatever the number of its replicas.
//
// Addresses come from the resolver; each has one REQ socket. The balancer takes the one with fewer
// calls in flight of two, avoids open breakers and replicas that do not answer pings, and stays with its
// choice for up to 256 calls or 200 ms, so that they can share a batch. nng's own
// resending is off: retries are ours, for UNAVAILABLE only, with the same call id, exponential
// backoff with jitter, within the deadline and a retry budget; a lost pipe or a timeout of a call that
// was sent means that its outcome is unknown, so a write is sent again only when it is idempotent.

#include "lib/rpc/method.h"

struct rpc_client;

struct rpc_client_options {
    const char *service; // "user": for metrics and messages
    const char
        *addresses; // "tcp://host:port,ipc:///path": hosts are resolved to all their addresses
    const char *secret;
    size_t max_in_flight; // calls beyond it are refused with OVERLOADED; default 4,096
};

// Dials in the background. NULL for a secret that is too short (seal.h). Thread-safe from then on.
struct rpc_client *rpc_client_create(const struct rpc_client_options *options);

// Fails the calls in flight with UNAVAILABLE and frees. Accepts NULL.
void rpc_client_destroy(struct rpc_client *client);

struct rpc_request {
    const char *method;              // "baro.user.User/Charge"
    const ProtobufCMessage *message; // packed before rpc_call returns
    struct caller caller;
    int64_t timeout_ms;          // the remaining time of whoever asks
    const char *idempotency_key; // or NULL
    const char *traceparent;     // or NULL
    const Baro__SagaStep *saga;  // or NULL
    bool idempotent;             // safe to send again when the outcome of a try is unknown
};

// `reply` and the texts of `st` are borrowed for the duration of the callback, which runs on a thread
// of the library (or of the caller, when refused at once) and must not block.
typedef void rpc_done(void *arg, struct status st, const Baro__RpcReply *reply);

// Starts a call; `done` is called exactly once.
void rpc_call(struct rpc_client *client, const struct rpc_request *request, rpc_done *done,
              void *arg);

// Makes the call once at every replica that is connected, whatever it says of its health, and never
// again. Returns how many there are; `done` is called as often, maybe before this returns.
size_t rpc_call_each(struct rpc_client *client, const struct rpc_request *request, rpc_done *done,
                     void *arg);

// Calls that start between the two leave together, with the second at the latest. For whoever has
// several to start, and does not block meanwhile; may nest, from any threads.
void rpc_client_cork(struct rpc_client *client);
void rpc_client_uncork(struct rpc_client *client);

// Waits for the outcome; *reply (may be NULL) is unpacked with `output` into arena.
struct status rpc_call_wait(struct rpc_client *client, const struct rpc_request *request,
                            const ProtobufCMessageDescriptor *output, struct arena *arena,
                            ProtobufCMessage **reply);

// True when at least one replica answers Health.Check as serving.
bool rpc_client_ready(struct rpc_client *client);
