// What repeats. Each job handles a bounded number of rows at once and is safe on any number of
// replicas: rows are claimed with SKIP LOCKED, or changed only if they are still as they were found.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/service/lots.h"
#include "lib/service/prune.h"
#include "lib/service/sweep.h"
#include "services/coupon/service.h"
#include "services/coupon/store.h"

enum {
    EXPIRE_LOT = 1000,
    SOLD_OUT_PERIOD_MS = SOLD_OUT_LIFE_MS / 3,
    SOLD_OUT_LIMIT = 1000,
};

static struct status expire_lot(void *context, struct db *db, struct arena *arena, bool *more)
{
    int64_t expired = 0;
    (void)context;
    (void)arena;
    struct status st = store_expire_coupons(db, EXPIRE_LOT, &expired);
    *more = expired == EXPIRE_LOT;
    return st;
}

static struct status expire_coupons(void *service, struct db *db, struct arena *arena)
{
    return lots_run(expire_lot, service, db, arena);
}

static struct status sweep_holds(void *context, struct db *db, struct arena *arena)
{
    const struct coupon_service *service = context;
    return sweep_dead_orders((struct sweep){.orders = &service->orders,
                                            .claim = store_claim_stale_holds,
                                            .release = store_release_holds},
                             db, arena);
}

// Any replica may say so, and all do: what they say is the same. The first that Redis does not take
// ends the run: it is away, or somebody has just changed a campaign, and the next run sees.
static struct status say_sold_out(void *context, struct db *db, struct arena *arena)
{
    const struct coupon_service *service = context;
    struct sold_out_campaign *campaigns;
    size_t count = 0, owner_count;
    int64_t *owners;

    struct status st =
        store_sold_out(db, arena, SOLD_OUT_OWNERS_MAX, SOLD_OUT_LIMIT, &campaigns, &count);
    for (size_t i = 0; !failed(st) && i < count; i++) {
        if (sold_out_renew(service->sold_out, &campaigns[i]))
            continue;
        st = store_owners(db, arena, campaigns[i].id, &owners, &owner_count);
        if (!failed(st) && !sold_out_write(service->sold_out, &campaigns[i], owners, owner_count))
            break;
    }
    return st;
}

static struct status prune_given_back(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena, (struct prune){store_prune_given_back, MS_PER_DAY});
}

void coupon_jobs_init(const struct coupon_settings *settings, struct job jobs[COUPON_JOB_COUNT])
{
    const struct job all[COUPON_JOB_COUNT] = {
        {"expire_coupons",    settings->sweep_period_ms, expire_coupons,    .alone = true},
        {"sweep_holds",       settings->sweep_period_ms, sweep_holds,       .alone = true},
        {"prune_idempotency", PRUNE_PERIOD_MS,           prune_idempotency, .alone = true},
        {"prune_barrier",     PRUNE_PERIOD_MS,           prune_barrier,     .alone = true},
        {"prune_given_back",  PRUNE_PERIOD_MS,           prune_given_back,  .alone = true},
        {"say_sold_out",      SOLD_OUT_PERIOD_MS,        say_sold_out,      .apart = true},
    };
    for (size_t i = 0; i < COUNT(all); i++)
        jobs[i] = all[i];
}
