#include "lib/service/sweep.h"

#include "lib/base/clock.h"
#include "lib/service/lots.h"

enum { LOT = 200, LEASE_MS = 60 * MS_PER_S };

static struct status sweep_lot(void *context, struct db *db, struct arena *arena, bool *more)
{
    const struct sweep *sweep = context;
    int64_t *orders;
    size_t count;
    struct status st = sweep->claim(db, arena, LOT, LEASE_MS, &orders, &count);
    if (failed(st) || count == 0)
        return st;
    *more = true;
    st = live_orders_drop(sweep->orders, arena, orders, count, &count);
    return failed(st) || count == 0 ? st : sweep->release(db, arena, orders, count);
}

struct status sweep_dead_orders(struct sweep sweep, struct db *db, struct arena *arena)
{
    return lots_run(sweep_lot, &sweep, db, arena);
}
