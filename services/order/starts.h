#pragma once
// The sagas that one transaction starts: their ids, contexts and rows.

#include "services/order/service.h"

struct saga_starts {
    struct order_service *service;
    struct db *db;
    struct arena *arena;
    int64_t now_us;
    int64_t *ids;
    struct saga_row **rows;
    size_t count, capacity;
};

// Takes ids for at most `capacity` sagas. Those of one batch share a partition (id modulo 16), so that
// their commands travel as one message per participant; the next batch has another one.
struct status saga_starts_init(struct saga_starts *starts, struct order_service *service,
                               struct db *db, struct arena *arena, int64_t now_us, size_t capacity);

// PENDING -> PAYING with a new attempt, for `call`, which is deferred for wait_ms.
struct launch *start_payment(struct saga_starts *starts, struct order *order, int64_t payment_id,
                             bool checkout, struct call *call, int64_t wait_ms);

// The saga behind an order that is REFUNDING now; the call is deferred.
struct launch *start_refund(struct saga_starts *starts, struct order *order, struct call *call,
                            int64_t wait_ms);

// The saga that gives back what an order held that has its final state now. Nobody waits.
struct launch *start_release(struct saga_starts *starts, struct order *order);

// Writes the rows. Queued.
struct status saga_starts_save(struct saga_starts *starts);
