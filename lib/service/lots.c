#include "lib/service/lots.h"

#include "lib/base/clock.h"

#define RUN_MAX_US (10 * US_PER_S)

struct status lots_run(lot_function *lot, void *context, struct db *db, struct arena *arena)
{
    int64_t until_us = clock_monotonic_us() + RUN_MAX_US;
    struct status st = OK;
    for (bool more = true; more && !failed(st) && clock_monotonic_us() < until_us;) {
        SCOPED(arena) *scratch = arena_create();
        more = false;
        st = status_keep(lot(context, db, scratch, &more), arena);
    }
    return st;
}
