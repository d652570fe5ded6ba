#pragma once
// Gives back what orders hold beyond its time, unless they live: a payment may still want it (SPEC 4).
//
// A lot is claimed by putting its time off; then the order service is asked which of the orders live,
// while no transaction is open; what the others hold is released. If a sweep dies anywhere, its claim
// runs out and the next one takes the lot up again.

#include "lib/db/db.h"
#include "lib/service/live_orders.h"

struct sweep {
    const struct live_orders *orders;

    // Takes up to `limit` rows whose time is over and that nobody else works on, and puts their time
    // off by lease_ms. *order_ids are their orders.
    struct status (*claim)(struct db *db, struct arena *arena, int64_t limit, int64_t lease_ms,
                           int64_t **order_ids, size_t *count);

    // Gives back what these orders still hold.
    struct status (*release)(struct db *db, struct arena *arena, const int64_t *order_ids,
                             size_t count);
};

// A run of the job: lot after lot (lib/service/lots.h).
struct status sweep_dead_orders(struct sweep sweep, struct db *db, struct arena *arena);
