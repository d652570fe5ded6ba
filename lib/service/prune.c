// Lots of one size: a full one means that there is more.

#include "lib/service/prune.h"

#include "lib/base/clock.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"

enum { LOT = 5000 };
#define RUN_MAX_US (5 * US_PER_S)

struct status prune_in_lots(struct db *db, struct prune prune)
{
    int64_t deleted = LOT, until_us = clock_monotonic_us() + RUN_MAX_US;
    struct status st = OK;
    while (!failed(st) && deleted == LOT && clock_monotonic_us() < until_us)
        st = prune.lot(db, prune.keep_ms, LOT, &deleted);
    return st;
}

static struct status prune_keys(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    (void)keep_ms; // how long keys are kept is theirs to say
    return inbox_prune(db, limit, deleted);
}

struct status prune_idempotency(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    return prune_in_lots(db, (struct prune){prune_keys, 0});
}

struct status prune_barrier(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    return prune_in_lots(db, (struct prune){barrier_prune, BARRIER_KEEP_MS});
}
