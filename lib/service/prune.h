#pragma once
// Jobs that every service with writes has: they forget what nobody may ask for any more, in lots, so
// that none holds its locks for long, and as many of them as there are, so that they keep up with
// what comes in.

#include "lib/service/service.h"

enum { PRUNE_PERIOD_MS = 60000 };

// Deletes at most `limit` rows that are older than keep_ms.
struct prune {
    struct status (*lot)(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted);
    int64_t keep_ms;
};

// Lots until nothing is left, or a few seconds have passed: other jobs want their turn.
struct status prune_in_lots(struct db *db, struct prune prune);

// Idempotency keys, after the 24 hours of SPEC 1.
struct status prune_idempotency(void *service, struct db *db, struct arena *arena);

// Steps of sagas, after BARRIER_KEEP_MS.
struct status prune_barrier(void *service, struct db *db, struct arena *arena);
