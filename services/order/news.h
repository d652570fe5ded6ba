#pragma once
// The doorbell (DESIGN 6): which orders have changed, published after the commit for those who
// follow orders or read events. It says that there is something to fetch; what that is, the database
// says. A lost one costs time, never an event.

#include "lib/bus/bus.h"
#include "lib/rpc/method.h"
#include "services/order/store.h"

struct news;

// News of the orders' unsaved changes, in arena: to be made before they are saved. There is room for
// `steps` more.
struct news *news_of(struct arena *arena, struct order *const *orders, size_t count, size_t steps);

// The saga of an order has come on, whatever the order's status.
void news_add_step(struct news *news, int64_t order_id);

void news_publish(const struct news *news, struct publisher *publisher);

// Saves, and leaves the news in batch->handled for news_committed.
struct status news_save_orders(struct batch *batch, struct order *const *orders, size_t count);
struct status news_save_set(struct batch *batch, const struct order_set *set);
void news_committed(struct batch *batch);
