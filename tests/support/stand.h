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

// Waits until the condition holds, at most timeout_ms.
bool stand_wait(bool (*holds)(void *arg), void *arg, int64_t timeout_ms);
