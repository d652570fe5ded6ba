#pragma once
// The order service on a real database, through the real dispatcher, between real sockets and a small
// shop of other services.

#include "proto/order.pb-c.h"
#include "services/order/service.h"
#include "tests/integration/order/shop.h"

#include <semaphore.h>

// One life of one replica.
struct rig {
    struct order_settings settings;
    struct order_service service;
    struct dispatcher *dispatcher;
    struct publisher *publisher;
    struct responder responder;
    struct db *jobs;
    struct shop *shop;
    bool owns_shop;
};

// With quick sagas: asked again after 20 ms, held after 150 ms, decided after 600 ms.
struct rig *rig_open(void);

// Another replica beside it, on the same database and with the same publisher and shop.
struct rig *rig_open_replica(struct rig *first, const char *instance);

// Drains and stops like main.c does; stops like a process that is killed: nothing is given back.
void rig_close(struct rig *rig);
void rig_kill(struct rig *rig);

int64_t rig_number(const struct rig *rig, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Puts the database's clock ahead by so many milliseconds.
void rig_pass_time(struct rig *rig, int64_t ms);

// Runs the job once.
void rig_expire(struct rig *rig);
void rig_keep(struct rig *rig);

struct as {
    int64_t user_id;
    enum caller_role role;
    const char *key;
};
#define USER(id) ((struct as){(id), CALLER_USER, ""})
#define KEYED(id, key) ((struct as){(id), CALLER_USER, (key)})
#define ADMIN ((struct as){99, CALLER_ADMIN, ""})
#define SERVICE ((struct as){0, CALLER_SERVICE, ""})
#define NOBODY ((struct as){0, CALLER_NOBODY, ""})

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

struct asked *rig_start(struct rig *rig, const char *method, struct as as,
                        const ProtobufCMessage *request);
const struct asked *rig_await(struct asked *asked);
const struct asked *rig_call(struct rig *rig, const char *method, struct as as,
                             const ProtobufCMessage *request);

// Ends the test unless the call was refused so.
void expect_refused(const struct asked *asked, enum reason reason);
void expect_field(const struct asked *asked, const char *field);

// The reply of a call that must have succeeded.
const void *expect_done(const struct asked *asked);
const Baro__Order__OrderView *expect_order(const struct asked *asked,
                                           Baro__Order__OrderStatus status);

// The verbs.
const struct asked *place(struct rig *rig, struct as as, int64_t option_id, int64_t quantity,
                          int64_t user_coupon_id);
int64_t given_order(struct rig *rig, int64_t user_id); // two pieces of option 1: 2,000 won
struct asked *start_pay(struct rig *rig, struct as as, int64_t order_id, int64_t user_coupon_id,
                        int32_t wait_ms);
const struct asked *pay(struct rig *rig, struct as as, int64_t order_id, int64_t user_coupon_id);
const struct asked *cancel(struct rig *rig, struct as as, int64_t order_id);
const struct asked *get(struct rig *rig, struct as as, int64_t order_id);

// Waits until the order has the status; ends the test after 10 s.
const Baro__Order__OrderView *await_status(struct rig *rig, int64_t order_id,
                                           Baro__Order__OrderStatus status);

// Waits until the number is what is wanted; ends the test after 10 s.
void await_number(struct rig *rig, int64_t wanted, const char *sql);
