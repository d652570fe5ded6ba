#pragma once
// Jobs that every service with writes has: they forget what nobody may ask for any more, as much as
// there is, so that they keep up with what comes in.

#include "lib/service/service.h"

enum { PRUNE_PERIOD_MS = 60000 };

// Deletes at most `limit` rows that are older than keep_ms.
struct prune {
    struct status (*lot)(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted);
    int64_t keep_ms;
};

// As many lots as there are (lib/service/lots.h).
struct status prune_in_lots(struct db *db, struct arena *arena, struct prune prune);

// Idempotency keys, after the 24 hours of SPEC 1.
struct status prune_idempotency(void *service, struct db *db, struct arena *arena);

// Steps of sagas, after BARRIER_KEEP_MS.
struct status prune_barrier(void *service, struct db *db, struct arena *arena);
