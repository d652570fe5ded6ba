// Lots of one size: a full one means that there is more.

#include "lib/service/prune.h"

#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/lots.h"

enum { LOT = 5000 };

static struct status prune_lot(void *context, struct db *db, struct arena *arena, bool *more)
{
    const struct prune *prune = context;
    int64_t deleted = 0;
    (void)arena;
    struct status st = prune->lot(db, prune->keep_ms, LOT, &deleted);
    *more = deleted == LOT;
    return st;
}

struct status prune_in_lots(struct db *db, struct arena *arena, struct prune prune)
{
    return lots_run(prune_lot, &prune, db, arena);
}

static struct status prune_keys(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    (void)keep_ms; // how long keys are kept is theirs to say
    return inbox_prune(db, limit, deleted);
}

struct status prune_idempotency(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena, (struct prune){prune_keys, 0});
}

struct status prune_barrier(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena, (struct prune){barrier_prune, BARRIER_KEEP_MS});
}
