#pragma once
// What a service offers: a table of methods, and the calls and batches that its handlers see.
//
// A handler runs once for a whole batch of calls of one method, inside one transaction (DESIGN 4):
// it locks and loads the rows that the batch needs in one statement, applies the calls one by one in
// arrival order with the pure domain rules, and writes back with one statement a table. Each call has
// its own outcome: `call_reply` or `call_refuse`. A handler returns a failure only when the whole
// batch failed; the dispatcher then rolls back and runs the calls again, one by one if need be, so a
// poisoned call fails alone. Handlers may therefore run more than once for a call: they change nothing
// but the transaction, the outcomes of their calls and `own`. What must happen in memory afterwards
// stands in the row's `committed`.

#include "lib/base/arena.h"
#include "lib/base/status.h"
#include "proto/common.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct call;

enum caller_role { CALLER_NOBODY = 0, CALLER_USER = 1, CALLER_ADMIN = 2, CALLER_SERVICE = 3 };

// Who asks, as the gateway (or the calling service) vouches for.
struct caller {
    int64_t user_id; // 0: nobody is signed in
    enum caller_role role;
};

// Who may call a method. ACCESS_NOBODY is what a forgotten column means.
enum access {
    ACCESS_NOBODY = 0,
    ACCESS_ANYBODY,
    ACCESS_USER, // somebody is signed in: a user, or an admin as a user
    ACCESS_ADMIN,
    ACCESS_SERVICE, // another service of ours, or a saga
};

// At most once, within the batch's transaction: idempotency keys (lib/bus/inbox.h) and the saga
// barrier (lib/saga/barrier.h) are the two guards.
struct guard {
    const char *name;
    // Settles the calls that were run before (or must never run) with their stored outcomes.
    struct status (*admit)(struct batch *batch);
    // Stores the definite outcomes of the fresh calls. Writes are queued: they go out with COMMIT.
    struct status (*record)(struct batch *batch);
};

enum method_kind { METHOD_READ, METHOD_WRITE };

struct method {
    const char *name;      // as in the .proto file: "PlaceOrder"
    enum method_kind kind; // reads have connections and workers of their own
    enum access access;    // checked before `handle`, not before `prepare`

    struct status (*handle)(struct batch *batch);

    const struct guard *guard; // NULL: running it again is harmless
    size_t batch_max;          // 0: the default of the dispatcher
    int64_t timeout_ms;        // the longest that a call may ask for; 0: default 5,000

    // Optional, outside any transaction, on any thread, without blocking: calls other services, hashes
    // a password. Ends, now or later, with call_ready (handle it), call_finish (answer it as it is) or
    // call_record (keep the refusal that is set under the guard, then answer).
    void (*prepare)(struct call *call);

    // Optional: the call will not be handled after all (its time was over, its transaction failed), and
    // surely has changed nothing. Undoes, without blocking, what `prepare` did elsewhere.
    void (*abandoned)(struct call *call);

    // Optional, after COMMIT and before the answers go out: what must now happen in memory.
    void (*committed)(struct batch *batch);
};

// The methods of one protobuf service. Start-up fails if a row names a method that the descriptor
// lacks, if nobody may call it, or if the descriptor has one without a row.
struct method_table {
    const ProtobufCServiceDescriptor *service;
    const struct method *methods;
    size_t count;
};

// One request on its way. Handlers read the first part and set the outcome with the functions below.
struct call {
    const struct method *method;
    struct arena *arena;             // lives until the answer is sent
    const ProtobufCMessage *request; // the method's input, validated as UTF-8
    struct caller caller;
    int64_t deadline_us;         // monotonic
    const char *idempotency_key; // "" for none
    const Baro__SagaStep *saga;  // NULL unless it is a saga command
    const char *traceparent;
    void *service; // the service's context, as given to dispatcher_create
    // What one stage leaves for the next: `prepare`, `handle`, `committed`. Not cleared when the batch
    // runs again.
    void *own;

    struct status status; // the outcome so far
    const ProtobufCMessage *reply;
    bool settled;  // has an outcome: later stages pass it by
    bool deferred; // answered later, by call_finish
    bool replayed; // the outcome comes from the guard's store

    struct call_private *private; // of the dispatcher
};

struct batch {
    const struct method *method;
    void *tx;            // the worker's connection: struct db *
    void *service;       // the service's context
    struct arena *arena; // lives until the batch is answered
    struct call **calls; // all calls of the batch, in arrival order
    size_t count;
    int64_t now_us; // the database's clock, read at the start of the batch
    void *handled;  // what `handle` leaves for `committed`, in the arena
};

// The next call at or after *index that has no outcome yet; NULL at the end. For handlers:
//     for (size_t i = 0; (call = batch_next(batch, &i)); i++)
struct call *batch_next(const struct batch *batch, size_t *index);

// Sets the outcome. The reply must live in the arena of the call or of the batch, or be static.
void call_reply(struct call *call, const ProtobufCMessage *reply);
void call_refuse(struct call *call, struct status st);

// Leaves the call without an answer when its batch ends; `committed` (or whoever it hands the call
// to) must call call_finish in the end, exactly once, from any thread.
void call_defer(struct call *call);

// Ends `prepare`: go on to `handle`. So does a deferred call whose outcome has come to stand under its
// key: it is replayed.
void call_ready(struct call *call);

// Answers with the outcome that is set. The call is gone afterwards.
void call_finish(struct call *call);

// The same for calls that end together: those from one peer are answered in one message.
void calls_finish(struct call *const *calls, size_t count);

// Ends `prepare` with a refusal that is set and definite: it is stored by the guard, then answered.
void call_record(struct call *call);

enum { IDEMPOTENCY_ID_SIZE = 16 };

// Identity of a call under its idempotency key: a hash of (user, method, key). False without key.
bool call_idempotency_id(const struct call *call, uint8_t id[IDEMPOTENCY_ID_SIZE]);

// A hash of the request's content, but for a field wait_ms: tells "same key, other body".
void call_request_hash(const struct call *call, uint8_t hash[IDEMPOTENCY_ID_SIZE]);

// The type of the replies of the call's method: guards unpack stored replies with it.
const ProtobufCMessageDescriptor *call_output(const struct call *call);
