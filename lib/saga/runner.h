#pragma once
// Walks sagas through their tables. Knows time, network and store only through `saga_ports`, so that
// unit tests run this very code in a world of their own.
//
// On the good path the saga row is written twice: by the service at the start, and at the end. In
// between progress lives here and in the participants' barriers: whoever takes a saga over replays it
// from its first step and gets the stored replies. One thing is durable before it is acted on: the
// decision to compensate. Commands go out by publish; an answer that does not come within
// retry_first_ms is asked for over RPC, with exponential backoff and jitter. A saga that is silent for
// held_after_ms is recorded as held; one without an end at decide_after_ms that may still be given back
// is compensated with SYSTEM_FAILURE, however often it was taken over meanwhile (who takes over one that
// is older asks a few times first); a step that no such decision will end is parked after
// park_after_attempts fruitless tries: visible, still retried slowly. A no counts as a refusal while
// the saga may be given back; after that, and in sagas that cannot be, it is asked again, as silence is.
// An end that the store refuses as often is parked in the same way.
//
// Thread-safe. publish, ask, record and ended are called without the runner's lock held, and may
// call back at once; the clocks and random may be called with it.

#include "lib/saga/saga.h"
#include "proto/common.pb-c.h"

struct saga_runner;

struct saga_command {
    int64_t saga_id;
    const char *participant;
    const char *method;
    Baro__SagaStep step;
    const ProtobufCMessage *request; // lives until the port returns
    int attempt;
    const char *traceparent; // or ""
};

// What the store must make durable for a saga before the runner goes on.
enum saga_record {
    SAGA_RECORD_HELD,         // silent for long: show it
    SAGA_RECORD_COMPENSATING, // the decision
    SAGA_RECORD_END,          // COMPLETED or COMPENSATED, with the whole timeline
    SAGA_RECORD_PARKED,       // parked or no longer parked, with the timeline so far
};

struct saga_ports {
    void *context;
    int64_t (*now_us)(void *context);  // monotonic
    int64_t (*wall_us)(void *context); // for the timeline
    uint64_t (*random)(void *context); // for jitter

    // Publishes commands of one batch, fire and forget.
    void (*publish)(void *context, const struct saga_command *commands, size_t count);

    // Asks one over RPC; the answer comes by saga_runner_reply, or not at all.
    void (*ask)(void *context, const struct saga_command *command);

    // Writes one row's change in the service's own transaction; ends with saga_runner_recorded. The
    // saga must not be changed meanwhile, and is not.
    void (*record)(void *context, enum saga_record what, const struct saga *saga);

    // The saga has ended and its end is durable: last chance to look at it.
    void (*ended)(void *context, const struct saga *saga);
};

struct saga_runner_options {
    int64_t retry_first_ms;  // default 250
    int64_t retry_max_ms;    // default 10,000
    int64_t held_after_ms;   // default 5,000
    int64_t decide_after_ms; // default 60,000, from its beginning, whoever walked it
    int park_after_attempts; // default 10
};

struct saga_runner *saga_runner_create(const struct saga_ports *ports,
                                       const struct saga_runner_options *options);
void saga_runner_destroy(struct saga_runner *runner);

// A saga whose row is durable. `state` is SAGA_RUNNING, or SAGA_COMPENSATING with its failure for one
// that is taken over after the decision. `context` is packed bytes of definition->context; whoever took
// it from a row has seen that it can be read.
struct saga_start {
    int64_t id;
    const struct saga_definition *definition;
    struct {
        const uint8_t *data;
        size_t size;
    } context;
    enum saga_state state;
    struct status failure;
    int64_t created_at_us;
    int64_t age_us; // since it began, by the database's clock; 0 for a new one
    bool held;      // its row says so already
    bool parked;    // the same: it is recorded as moving again before it is asked for
};

// Starts or takes over; commands of all of them that share a topic go out together. One that is here
// already is ignored.
void saga_runner_start(struct saga_runner *runner, const struct saga_start *starts, size_t count);

// Replies from participants, of one message or of an ask; each names its step in `saga`. A definite
// failure (status_is_definite) or INVALID_ARGUMENT is a refusal. UNAVAILABLE, UNKNOWN,
// RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, ABORTED, INTERNAL and the like mean that the outcome is
// unknown: asked again.
void saga_runner_reply(struct saga_runner *runner, const Baro__RpcReply *const *replies,
                       size_t count);

// The outcome of a record: OK, CONFLICT (another orchestrator owns the saga: forget it), or any
// other failure (tried again).
void saga_runner_recorded(struct saga_runner *runner, int64_t saga_id, enum saga_record what,
                          struct status st);

// Fires what is due; returns the monotonic time at which something will be due next. A thread of
// saga_runner_thread_start calls it; unit tests call it themselves.
int64_t saga_runner_tick(struct saga_runner *runner);
void saga_runner_thread_start(struct saga_runner *runner);

// By hand: unparks and asks now. False when the saga is not here.
bool saga_runner_retry(struct saga_runner *runner, int64_t saga_id);

// Ids of the sagas in memory (for lease renewal), in arena.
size_t saga_runner_list(struct saga_runner *runner, struct arena *arena, int64_t **ids);
