// What repeats: forgetting what nobody may ask for any more, and making room ahead.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/service/prune.h"
#include "services/user/service.h"
#include "services/user/store.h"

static struct status prune_ended(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    (void)keep_ms; // a session says itself when it ends
    return store_prune_sessions(db, limit, deleted);
}

static struct status prune_sessions(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena, (struct prune){prune_ended, 0});
}

static struct status make_partitions(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    return store_make_partitions(db);
}

const struct job user_jobs[] = {
    {"prune_idempotency", PRUNE_PERIOD_MS, prune_idempotency, .alone = true},
    {"prune_barrier",     PRUNE_PERIOD_MS, prune_barrier,     .alone = true},
    {"prune_sessions",    PRUNE_PERIOD_MS, prune_sessions,    .alone = true},
    {"make_partitions",   MS_PER_HOUR,     make_partitions,   .alone = true},
};
const size_t user_job_count = COUNT(user_jobs);
