// What repeats: forgetting what nobody may ask for any more, and making room ahead. Each deletes a
// bounded number of rows a run, so that none holds its locks for long.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/service/prune.h"
#include "services/user/service.h"
#include "services/user/store.h"

enum {
    MINUTE_MS = 60 * MS_PER_S,
    HOUR_MS = 60 * MINUTE_MS,
};

static struct status prune_sessions(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    int64_t deleted;
    return store_prune_sessions(db, PRUNE_LIMIT, &deleted);
}

static struct status make_partitions(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    return store_make_partitions(db);
}

const struct job user_jobs[] = {
    {"prune_idempotency", PRUNE_PERIOD_MS, prune_idempotency},
    {"prune_barrier",     PRUNE_PERIOD_MS, prune_barrier    },
    {"prune_sessions",    PRUNE_PERIOD_MS, prune_sessions   },
    {"make_partitions",   HOUR_MS,         make_partitions  },
};
const size_t user_job_count = COUNT(user_jobs);
