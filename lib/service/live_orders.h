#pragma once
// Which orders live: what a sweeper asks the order service before it takes back what an order holds
// (SPEC 4). While the order service is silent, nothing is taken back.

#include "lib/rpc/client.h"

// Asks which of the orders live. A function, so that a sweep can be tested without an order service.
struct live_orders {
    struct status (*find)(void *context, struct arena *arena, const int64_t *order_ids,
                          size_t count, int64_t **live, size_t *live_count);
    void *context;
};

// Asks the order service through its client, which must outlive the source.
struct live_orders live_orders_of(struct rpc_client *client);

// Moves the orders that do not live to the front of `order_ids` and sets *dead to their number.
struct status live_orders_drop(const struct live_orders *source, struct arena *arena,
                               int64_t *order_ids, size_t count, size_t *dead);
