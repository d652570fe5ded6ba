#pragma once
// What the files of the dispatcher share: dispatcher.c takes calls in, worker.c runs them,
// answer.c ends them.

#include "lib/rpc/lane.h"

#include <stdatomic.h>

struct metric;

// One row of a method table, with its queues and metrics.
struct method_entry {
    const struct method *method;
    const ProtobufCMethodDescriptor *descriptor;
    const char *name; // "baro.user.User/Charge"
    int64_t timeout_ms;
    struct call_queue handle;
    struct call_queue look_up; // used when there is `prepare` and a guard
    _Atomic size_t admitted;   // calls that wait, in `prepare` or in a queue
    struct metric *_Atomic answered[STATUS_CODES];
    struct metric *handling_seconds;
    struct metric *wait_seconds;
    struct metric *batch_size;
    UT_hash_handle hh;
};

struct worker {
    struct dispatcher *dispatcher;
    struct lane *lane;
    pthread_t thread;
    const char *name;
    void *tx;
    struct arena *arena;         // of the batch
    struct call **calls;         // the batch that was taken
    struct call **settled;       // those of it that are answered by the worker
    struct trace_context *links; // of its calls
    uint64_t random;             // of the jitter
};

struct dispatcher {
    struct arena *arena; // of all that lives as long as the dispatcher
    struct dispatcher_options options;
    struct method_entry *entries; // by name
    struct lane reads, writes;
    struct worker *workers;
    size_t worker_count;
    struct call_pool pool;

    pthread_mutex_t keys_lock;
    struct call_private *keys; // calls in flight by idempotency id

    atomic_bool draining;
    pthread_mutex_t open_lock;
    pthread_cond_t all_answered;
    _Atomic size_t open; // calls that are not answered yet
};

// The thread of a worker.
void *worker_main(void *worker);

// Calls that were answered since the last flush, and their responders.
struct answered {
    struct dispatcher *dispatcher;
    size_t calls;
    struct responder *responders[8];
    size_t count;
};

// Answers with the outcome that is set and lets the call go. Flushes later.
void answer(struct call *call, struct answered *answered);
void answered_flush(struct answered *answered);

// Answers and flushes.
void answer_now(struct call *call);

// Gives back the room that the call takes in its queue's limit.
void entry_leave(struct call *call);

// The idempotency id, made once; NULL without key.
const uint8_t *call_id_of(struct call *call);

// Marks the key as running, until the call is answered. False when another call has it.
bool keys_claim(struct call *call);

// True when another call that is in `prepare` or deferred has the same key.
bool keys_held_by_other(struct call *call);

// Runs the method's `prepare`; the call may be gone afterwards.
void dispatcher_prepare(struct call *call);
