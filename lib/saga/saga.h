#pragma once
// A saga is one table: steps in order, each with a participant, an action and a compensation.
//
// Three outcomes of a step: DONE, REFUSED (a definite no: compensate what was done, in reverse order),
// UNKNOWN (silence: ask again). A compensation is never refused for a business reason. The runner
// (runner.h) walks the table; what a saga does can be read from its table alone.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct saga;

enum saga_step_kind {
    SAGA_COMPENSATABLE, // may be refused; undone by its compensation
    SAGA_PIVOT,         // the last step that is refused for a business reason
    SAGA_RETRIABLE,     // asked until it is done
    SAGA_ON_FAILURE,    // skipped on the good path; an action that runs after the compensations
};

struct saga_step {
    const char *name;         // "debit_wallet"
    const char *participant;  // "user": the service that runs it
    const char *action;       // "baro.user.User/DebitWallet"
    const char *compensation; // or NULL
    enum saga_step_kind kind;

    // The request of the action and of the compensation, in arena; NULL: the step does not apply to
    // this saga now. Pure: the saga's context and failure are all they may look at.
    const ProtobufCMessage *(*request)(const struct saga *saga, struct arena *arena);
    const ProtobufCMessage *(*compensation_request)(const struct saga *saga, struct arena *arena);

    // What a DONE reply changes in the saga's context; NULL for nothing.
    const ProtobufCMessageDescriptor *reply;
    void (*accept)(struct saga *saga, const ProtobufCMessage *reply);
};

struct saga_definition {
    const char *kind; // "pay"
    const ProtobufCMessageDescriptor *context;
    const struct saga_step *steps;
    size_t step_count;
};

enum saga_state {
    SAGA_RUNNING,
    SAGA_COMPENSATING, // durable before the first compensation is sent
    SAGA_COMPLETED,    // final: every action done
    SAGA_COMPENSATED,  // final: everything given back
};

const char *saga_state_name(enum saga_state state); // "RUNNING"

// May the row of a saga in one state be written with the other (or the same)? What is decided stays so,
// whoever comes later: a former owner who knows nothing of it may have the saga back.
bool saga_state_may_follow(enum saga_state from, enum saga_state to);

enum saga_outcome { SAGA_PENDING, SAGA_DONE, SAGA_REFUSED, SAGA_UNKNOWN, SAGA_SKIPPED };

const char *saga_outcome_name(enum saga_outcome outcome); // "DONE"

// What happened at one step in one direction: the timeline that people see.
struct saga_progress {
    const struct saga_step *step;
    bool compensation;
    enum saga_outcome outcome;
    int attempts;
    int64_t started_at_us; // wall clock of the runner: for people only
    int64_t finished_at_us;
};

enum { SAGA_STEPS_MAX = 8 };

// One saga in the memory of the orchestrator that owns it. Fields are read by the service; only the
// runner writes them, except `context` (through `accept`).
struct saga {
    int64_t id;
    const struct saga_definition *definition;
    ProtobufCMessage *context; // of definition->context, in arena
    enum saga_state state;
    struct status failure; // why it compensates; code OK while it runs
    bool parked;
    bool held;               // silent for longer than the patience: shown as HELD (SPEC 2)
    int64_t created_at_us;   // the database's clock
    const char *traceparent; // the context's field of this name, which its table may have; or ""
    struct saga_progress progress[2 * SAGA_STEPS_MAX];
    size_t progress_count;
    struct arena *arena; // lives as long as the saga is in memory
    struct saga_private *private;
};

// The field `traceparent` of a saga's context, when its table has one; else "". Borrowed.
const char *saga_traceparent(const ProtobufCMessage *context);

// Where a step stands in the course of a saga, whoever walks it: 1.. in the order in which steps can
// happen (actions forward, compensations backward, clean-up forward). 0: the table has no such step.
int saga_place(const struct saga_definition *definition, const char *step, bool compensation);
