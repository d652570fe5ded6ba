#pragma once
// The dispatcher's side of a call, and the pool that calls and their arenas come from.

#include "lib/rpc/dispatcher.h"
#include "lib/trace/span.h"

#include <pthread.h>
#include <uthash.h>

struct method_entry;

// A queue takes a call in one of these roles.
struct call_private {
    struct dispatcher *dispatcher;
    struct method_entry *entry;  // NULL when the method is not known
    struct responder *responder; // NULL: a call of our own, `done` gets the outcome
    void *token;
    void (*done)(void *arg, const struct call *call);
    void *done_arg;
    uint64_t call_id;
    Baro__SagaStep saga;        // what call->saga points to
    struct trace_context trace; // the call's own span, when its caller is traced
    uint64_t trace_parent;
    struct trace_context batch; // the span of its batch
    int64_t submitted_at_us;
    int64_t queued_at_us;
    bool admitted;  // counts against the queue's limit
    bool recording; // call_record: `refusal` is the outcome of every run
    struct status refusal;
    bool has_id;    // `id` is set
    bool in_flight; // stands in the dispatcher's table of keys in flight
    uint8_t id[IDEMPOTENCY_ID_SIZE];
    UT_hash_handle hh;
    struct call *next; // in a queue or in the pool
};

struct call_pool {
    pthread_mutex_t lock;
    struct call *free;
    size_t count;
};

void call_pool_init(struct call_pool *pool);
void call_pool_fini(struct call_pool *pool);

// Takes a call with an empty arena; everything else is zero.
struct call *call_acquire(struct call_pool *pool);
void call_release(struct call_pool *pool, struct call *call);

// Forgets the outcome before the call is run (again).
void call_reset_outcome(struct call *call);

// Makes the reply envelope of the call's outcome; bytes and texts are in the call's arena.
void call_fill_reply(const struct call *call, Baro__RpcReply *reply);
