#pragma once
// Jobs that every service with writes has: they forget what nobody may ask for any more, a bounded
// number of rows a run, so that none holds its locks for long.

#include "lib/service/service.h"

enum { PRUNE_PERIOD_MS = 60000, PRUNE_LIMIT = 10000 };

// Idempotency keys, after the 24 hours of SPEC 1.
struct status prune_idempotency(void *service, struct db *db, struct arena *arena);

// Steps of sagas, after 7 days: no saga is asked for that long without being seen.
struct status prune_barrier(void *service, struct db *db, struct arena *arena);
