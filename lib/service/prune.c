#include "lib/service/prune.h"

#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"

static const int64_t BARRIER_KEEP_MS = INT64_C(7) * 24 * 3600 * 1000;

struct status prune_idempotency(void *service, struct db *db, struct arena *arena)
{
    int64_t deleted;
    (void)service;
    (void)arena;
    return inbox_prune(db, PRUNE_LIMIT, &deleted);
}

struct status prune_barrier(void *service, struct db *db, struct arena *arena)
{
    int64_t deleted;
    (void)service;
    (void)arena;
    return barrier_prune(db, BARRIER_KEEP_MS, PRUNE_LIMIT, &deleted);
}
