#pragma once
// Order ids at hand, without a database: PlaceOrder needs one before its transaction, for the hold.
//
// The pool also remembers how far the database's clock is from ours, so that an id carries the
// database's second (lib/base/timeid.h). Thread-safe.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_pool;

// `refill` is called, from any thread, when the pool runs low; it ends with id_pool_put or, when that
// failed, id_pool_refill_failed.
struct id_pool *id_pool_create(void (*refill)(void *arg), void *arg);
void id_pool_destroy(struct id_pool *pool);

// Gets the id, or 0 when none could be had.
typedef void id_taken(void *arg, int64_t id);

// Calls `taken` once: now if an id is at hand, else after the next refill.
void id_pool_take(struct id_pool *pool, id_taken *taken, void *arg);

// How many sequence numbers a refill should bring.
enum { ID_POOL_REFILL = 4000 };

// Adds sequence numbers; now_us is the database's clock at this moment.
void id_pool_put(struct id_pool *pool, const int64_t *numbers, size_t count, int64_t now_us);
void id_pool_refill_failed(struct id_pool *pool);
