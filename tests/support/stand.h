#pragma once
// A test stand for lib/rpc: a store in memory behind `transaction_ops`, and a protobuf service with one
// method, test.Stand/Echo(Text) returns (Text), whose row each test writes for itself.

#include "lib/rpc/dispatcher.h"

#include <stdatomic.h>

#define STAND_SECRET "a secret that tests share"
#define STAND_METHOD "test.Stand/Echo"

extern const ProtobufCServiceDescriptor stand_service;

// What the transactions of a dispatcher did; `commit` (may be NULL) decides how each COMMIT ends.
struct stand_store {
    atomic_int begins, commits, rollbacks;
    atomic_llong deadline_us; // of the last one
    struct status (*commit)(struct stand_store *store);
    void *arg;
};

// The context is a struct stand_store; so is batch->tx.
extern const struct transaction_ops stand_transaction;

// A handler: every call gets its own text back.
struct status stand_echo(struct batch *batch);

// A Text in the arena.
Baro__Text *stand_text(struct arena *arena, const char *value);
const char *stand_value(const struct call *call);

// A dispatcher with one write and one read worker that runs the one row; started.
struct dispatcher *stand_dispatcher(const struct method *echo, struct stand_store *store,
                                    struct dispatcher_options options);

enum { STAND_DESK_SIZE = 1024 };

// A responder that keeps the answers to the calls of up to STAND_DESK_SIZE places.
struct stand_answer {
    enum status_code code;
    enum reason reason;
    char text[128]; // the reply's, or the refusal's message
    atomic_int times;
};

struct stand_desk {
    struct responder responder;
    atomic_int answers, flushes;
    struct stand_answer places[STAND_DESK_SIZE];
};

struct stand_desk *stand_desk_create(void);
void stand_desk_destroy(struct stand_desk *desk);
DEFINE_SCOPED(stand_desk, stand_desk_destroy)

// Submits a call of Echo whose answer goes to the place; key NULL for none.
void stand_submit(struct dispatcher *dispatcher, struct stand_desk *desk, size_t place,
                  const char *text, const char *key, uint32_t timeout_ms);

// The same by somebody of that role, without a key.
void stand_submit_as(struct dispatcher *dispatcher, struct stand_desk *desk, size_t place,
                     const char *text, enum caller_role role);

// Waits until the desk has that many answers; false after 5 s.
bool stand_answered(struct stand_desk *desk, int answers);

// A gate that handlers can be held at, so that calls pile up behind them.
struct stand_gate {
    atomic_bool open;
    atomic_int waiting;
};
void stand_pass(struct stand_gate *gate);
bool stand_held(struct stand_gate *gate); // waits until somebody is held; false after 5 s

// Waits until the condition holds, at most timeout_ms.
bool stand_wait(bool (*holds)(void *arg), void *arg, int64_t timeout_ms);
