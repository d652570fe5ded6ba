#pragma once
// Replicas of the order service on a real database, between real sockets and a small shop of other
// services.

#include "proto/order.pb-c.h"
#include "services/order/service.h"
#include "tests/integration/order/shop.h"
#include "tests/support/rig.h"

// How long a silent saga is waited for: a hasty replica may also give one up that is only slow.
enum patience {
    PATIENT,        // longer than any test takes
    HOLDS_EARLY,    // held after half a second
    GIVES_UP_EARLY, // held after half a second, decided after two
};

// Where a replica finds database and shop, and how patient it is there.
struct life_place {
    enum patience patience;
    char url[512];
    char rpc[3][64], bus[3][64]; // of user, product, coupon
};

// One life of one replica.
struct life {
    struct life_place place;
    struct rig *rig;
    struct order_settings settings;
    struct order_service service;
    struct publisher *publisher;
    struct shop *shop;
    struct db *jobs;
    int64_t ahead_ms; // of the database's clock
    bool owns_shop;
};

// The first replica, "order-0": asks again after 20 ms, parks after four tries, is patient.
struct life *life_begin(void);
struct life *life_begin_being(enum patience patience);

// Another one beside it, as patient as the first, with the same database, publisher and shop.
struct life *life_begin_beside(struct life *first, const char *instance);

// The same in another process. What it publishes nobody hears: its commands are asked for.
struct life *life_begin_apart(const struct life_place *place, const char *instance);

// Drains and stops like main.c does. The first replica closes the shop: close it last.
void life_end(struct life *life);

// Ends one whose service was told to stop, whatever still runs there.
void life_end_stopped(struct life *life);

// Stops like a process that is killed between two batches: leases and rows stay as they are. Close it
// nevertheless.
void life_kill(struct life *life);

int64_t life_number(const struct life *life, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Puts the database's clock ahead by so many milliseconds more.
void life_pass_time(struct life *life, int64_t ms);

// Runs a job once.
void life_expire(struct life *life);
void life_keep(struct life *life);

// A call and its outcome.
const struct asked *ask(struct life *life, const char *method, struct as as,
                        const ProtobufCMessage *request);

// The order in the reply of a call that must have succeeded, in that status.
const Baro__Order__OrderView *expect_order(const struct asked *asked,
                                           Baro__Order__OrderStatus status);

// A request for `quantity` of one option; user_coupon_id 0: none. Made in arena.
Baro__Order__PlaceOrderRequest *order_request(struct arena *arena, int64_t option_id,
                                              int64_t quantity, int64_t user_coupon_id);

// The verbs.
const struct asked *place(struct life *life, struct as as, int64_t option_id, int64_t quantity,
                          int64_t user_coupon_id);
const struct asked *checkout(struct life *life, struct as as, int64_t user_coupon_id);
int64_t given_order(struct life *life, int64_t user_id); // two of option 1: 2,000 won
struct asked *start_pay(struct life *life, struct as as, int64_t order_id, int64_t user_coupon_id,
                        int32_t wait_ms);
const struct asked *pay(struct life *life, struct as as, int64_t order_id, int64_t user_coupon_id);
struct asked *start_cancel(struct life *life, struct as as, int64_t order_id);
const struct asked *cancel(struct life *life, struct as as, int64_t order_id);
const struct asked *get(struct life *life, struct as as, int64_t order_id);

// Waits until the order has the status; ends the test after 10 s.
const Baro__Order__OrderView *await_status(struct life *life, int64_t order_id,
                                           Baro__Order__OrderStatus status);

// Waits until the number is what is wanted; ends the test after 10 s.
void await_number(struct life *life, int64_t wanted, const char *sql);
