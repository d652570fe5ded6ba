#pragma once
// The product service on a real database, with an order service that says what the test wants.

#include "proto/product.pb-c.h"
#include "services/product/service.h"
#include "tests/support/rig.h"

enum { LIVE_MAX = 16 };

struct depot {
    struct product_service service;
    struct rig *rig;

    // What the order service answers about lives.
    int64_t live[LIVE_MAX];
    size_t live_count;
    bool is_order_service_down;
    void (*when_asked)(struct depot *depot); // in the middle of a sweep; may be NULL
};

struct depot *depot_open(struct rig_size size);

// Stops the service and asserts law 2 of SPEC 8 over all that is in the database.
void depot_close(struct depot *depot);

// Runs the hold sweep once, as the job thread would.
struct status depot_sweep(struct depot *depot);

// The same for any job, which must succeed.
void depot_run_job(struct depot *depot, const char *name);

// A product with one option for each stock, all at 1,000 won; its id, and its options' in order.
int64_t given_product(struct depot *depot, const int64_t *stocks, size_t count,
                      int64_t *option_ids);

// The same with one option; returns the option's id.
int64_t given_stock(struct depot *depot, int64_t stock);

struct line {
    int64_t option_id;
    int64_t quantity;
};
struct asked *start_hold(struct depot *depot, int64_t order_id, const struct line *lines,
                         size_t count);
const struct asked *hold(struct depot *depot, int64_t order_id, int64_t option_id,
                         int64_t quantity);

// ConfirmStock, ReleaseStock, ReturnStock; each call is a saga of its own.
const struct asked *step(struct depot *depot, const char *method, int64_t order_id);

// ReleaseStock as the order service says it when the answer to HoldStock never came.
struct asked *start_give_back(struct depot *depot, int64_t order_id, int64_t option_id);

// What is in the database of an option, and how many holds an order has in a status.
int64_t total_of(struct depot *depot, int64_t option_id);
int64_t held_of(struct depot *depot, int64_t option_id);
int64_t holds_of(struct depot *depot, int64_t order_id, const char *status);
