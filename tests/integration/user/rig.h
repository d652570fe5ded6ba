#pragma once
// The user service on a real database, through the real dispatcher, without the network.

#include "lib/rpc/dispatcher.h"
#include "proto/user.pb-c.h"
#include "services/user/service.h"

#include <semaphore.h>

struct rig {
    struct user_settings settings;
    struct user_service service;
    struct dispatcher *dispatcher;
    struct responder responder;
    struct rig *first; // NULL, or the replica whose database this one shares
};

// How many work, and how much at once; 0: the default.
struct rig_size {
    size_t write_workers;
    size_t batch_max;
};

// A service on a database of its own; a second replica of one.
struct rig *rig_open(struct rig_size size);
struct rig *rig_open_replica(struct rig *first, struct rig_size size);

// Stops the service and, for the first replica, asserts law 1 of SPEC 8 over all that is in the
// database. Replicas are closed before the first.
void rig_close(struct rig *rig);

// The database of the service, for looking around; the caller destroys it.
struct db *rig_db(const struct rig *rig);

// One integer that the query yields.
int64_t rig_number(const struct rig *rig, const char *sql);

// Who calls, with what key or for which saga.
struct as {
    int64_t user_id;
    enum caller_role role;
    const char *key;
    const Baro__SagaStep *saga;
};
struct as as_nobody(void);
struct as as_user(int64_t user_id);
struct as as_user_with_key(int64_t user_id, const char *key);
struct as as_admin(void);
struct as as_service(void);
struct as as_saga(const Baro__SagaStep *step);

// A call on its way, and its outcome.
struct asked {
    struct arena *arena;
    sem_t answered;
    const ProtobufCMethodDescriptor *method;
    enum status_code code;
    enum reason reason;
    const char *field;
    const char *message;
    const ProtobufCMessage *reply; // of a success
};

// Starts a call; waits for it. What was started is released with the test's process.
struct asked *rig_start(struct rig *rig, const char *method, struct as as,
                        const ProtobufCMessage *request);
const struct asked *rig_await(struct asked *asked);
const struct asked *rig_call(struct rig *rig, const char *method, struct as as,
                             const ProtobufCMessage *request);

// The same, for calls that must succeed; returns the reply.
const void *rig_done(struct rig *rig, const char *method, struct as as,
                     const ProtobufCMessage *request);

// An account with a wallet, without the cost of a password.
int64_t given_user(struct rig *rig);

// The same with money: an adjustment by an admin.
int64_t given_user_with(struct rig *rig, int64_t balance_won);

const struct asked *charge(struct rig *rig, struct as as, int64_t amount_won);
int64_t wallet_balance(struct rig *rig, int64_t user_id);

void expect_refused(const struct asked *asked, enum reason reason);
void expect_invalid(const struct asked *asked, const char *field);
