#pragma once
// A service on a real database, through the real dispatcher, without the network: what its handlers
// do, asked by any caller.

#include "lib/db/migrate.h"
#include "lib/rpc/dispatcher.h"
#include "proto/common.pb-c.h"

#include <semaphore.h>

struct rig {
    const char *url; // of the service's database
    void *service;   // the context of its handlers
    const struct method_table *methods;
    struct dispatcher *dispatcher;
    struct responder responder;
};

// How many work, and how much at once; 0: the default.
struct rig_size {
    size_t write_workers;
    size_t batch_max;
};

// A database of one's own with the schema of a service; `name` is the service's.
const char *rig_database(const char *name, const struct migration *migrations, size_t count);

// Starts a replica of the service on that database.
struct rig *rig_create(const char *url, const struct method_table *methods, void *service,
                       struct rig_size size);

// Waits until all calls are answered; ends the replica.
void rig_drain(struct rig *rig);
void rig_destroy(struct rig *rig);

// The database of the service, for looking around; the caller destroys it.
struct db *rig_db(const struct rig *rig);

// One integer that the query yields.
int64_t rig_number(const struct rig *rig, const char *sql);

// Moves the service's clock by an interval ("8 days") from the present moment.
void rig_shift_clock(const struct rig *rig, const char *interval);

// Waits until that many of the service's connections wait for a lock.
void rig_await_blocked(const struct rig *rig, int64_t connections);

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

// What a call that must have succeeded was answered.
const void *reply_of(const struct asked *asked);
void expect_refused(const struct asked *asked, enum reason reason);
void expect_invalid(const struct asked *asked, const char *field);
