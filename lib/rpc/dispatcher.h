#pragma once
// Natural batching (DESIGN 4): bounded queues in front of workers that own one transaction each.
//
// A free worker takes everything that waits for one method, up to its batch size, and runs: begin,
// guard.admit, handle, guard.record, commit, committed, answers. No timer: a lone call runs at once, a
// crowd shares locks, round trips and the commit's fsync. A full queue refuses at once with
// OVERLOADED; a call whose deadline has passed is dropped before it costs a query.
//
// The dispatcher knows the database only through `transaction_ops`, so that unit tests run this very
// code over a store of their own.

#include "lib/rpc/method.h"

struct dispatcher;

// One worker's transaction. Any failure but COMMIT's STATUS_UNKNOWN leaves nothing changed.
struct transaction_ops {
    void *(*open)(void *context, const char *worker); // makes a connection handle
    void (*close)(void *tx);
    // May be queued until the first statement.
    struct status (*begin)(void *tx, enum method_kind kind);
    struct status (*now)(void *tx, int64_t *now_us); // the store's clock; waits for begin
    struct status (*commit)(void *tx);
    void (*rollback)(void *tx);
    void (*set_deadline)(void *tx, int64_t deadline_us);
    // Optional: the span of the next batch; "" when nobody in it is traced. Valid until the next.
    void (*set_trace)(void *tx, const char *traceparent);
};

struct dispatcher_options {
    const struct transaction_ops *transaction;
    void *transaction_context;
    void *service;        // given to handlers
    size_t write_workers; // default 1
    size_t read_workers;  // default 1
    size_t queue_max;     // calls that wait, per method; default 2,048
    size_t batch_max;     // default 256
    // Optional, around `prepare`s that run one after the other: what they ask of others may leave
    // together. Given `service`.
    void (*cork)(void *service);
    void (*uncork)(void *service);
};

struct dispatcher *dispatcher_create(const struct dispatcher_options *options);

// Adds a table before dispatcher_start. FAILED_PRECONDITION names the row that does not fit the
// descriptor.
struct status dispatcher_add(struct dispatcher *dispatcher, const struct method_table *table);
void dispatcher_start(struct dispatcher *dispatcher);

// Refuses new calls with UNAVAILABLE, waits until every call is answered or timeout_ms has passed.
void dispatcher_drain(struct dispatcher *dispatcher, int64_t timeout_ms);

// Ends the workers, after what is queued: from here on no handler runs. Whoever holds a call may still
// end it.
void dispatcher_stop(struct dispatcher *dispatcher);

// Stops too, if that was not done.
void dispatcher_destroy(struct dispatcher *dispatcher);

// Where answers go. respond is called once for each call, from any thread; after a batch, flush is
// called once for every responder that the batch's calls have, so that answers can share a message.
struct responder {
    void (*respond)(struct responder *responder, struct call *call, const Baro__RpcReply *reply);
    void (*flush)(struct responder *responder);
};

// Takes a request in. Every submitted call is answered exactly once through its responder: also
// those refused at once (unknown method, malformed payload, full queue, passed deadline). `token` is
// the responder's own (call_token). The envelope is copied.
void dispatcher_submit(struct dispatcher *dispatcher, const Baro__RpcRequest *envelope,
                       struct responder *responder, void *token);
void *call_token(const struct call *call);

// Runs a method of our own service: no envelope, no guard key, and never refused for a full queue;
// `done` gets the outcome (the call is borrowed for its duration). For the last steps of sagas and for
// jobs.
void dispatcher_run(struct dispatcher *dispatcher, const char *method,
                    const ProtobufCMessage *request, const Baro__SagaStep *saga, int64_t timeout_ms,
                    void (*done)(void *arg, const struct call *call), void *arg);

// Rows for Health.Describe.
size_t dispatcher_describe(const struct dispatcher *dispatcher, struct arena *arena,
                           Baro__MethodDescription ***methods);
