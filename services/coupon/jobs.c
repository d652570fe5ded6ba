// What repeats. Each job handles a bounded number of rows at once and is safe on any number of
// replicas: rows are claimed with SKIP LOCKED, or changed only if they are still as they were found.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/service/prune.h"
#include "services/coupon/service.h"
#include "services/coupon/store.h"

enum {
    EXPIRE_LIMIT = 1000,
    EXPIRE_MAX_MS = 15 * MS_PER_S, // a stop waits for the job that runs
    SWEEP_LOT = 200,
    SWEEP_LOTS_MAX = 50, // a run: other jobs want their turn
    SWEEP_LEASE_MS = 60 * MS_PER_S,
    SOLD_OUT_PERIOD_MS = SOLD_OUT_LIFE_MS / 3,
    SOLD_OUT_LIMIT = 1000,
};

static struct status expire(void *service, struct db *db, struct arena *arena)
{
    int64_t expired = EXPIRE_LIMIT, until_us = clock_monotonic_us() + EXPIRE_MAX_MS * US_PER_MS;
    struct status st = OK;

    (void)service;
    (void)arena;
    while (!failed(st) && expired == EXPIRE_LIMIT && clock_monotonic_us() < until_us)
        st = store_expire_coupons(db, EXPIRE_LIMIT, &expired);
    return st;
}

static struct status sweep_lot(const struct coupon_service *service, struct db *db,
                               struct arena *arena, size_t *claimed)
{
    int64_t *orders;
    size_t dead;

    struct status st =
        store_claim_stale_holds(db, arena, SWEEP_LOT, SWEEP_LEASE_MS, &orders, claimed);
    if (failed(st) || *claimed == 0)
        return st;
    st = live_orders_drop(&service->orders, arena, orders, *claimed, &dead);
    return failed(st) || dead == 0 ? st : store_release_holds(db, orders, dead);
}

// A reservation outlives its time only while its order does: a payment may still want it. The sweep
// puts the time of a lot off, asks the order service, and gives back what dead orders have; if it
// dies anywhere, the next one takes the lot up again.
static struct status sweep(void *service, struct db *db, struct arena *arena)
{
    struct status st = OK;
    size_t claimed = 1;

    for (int lot = 0; !failed(st) && claimed && lot < SWEEP_LOTS_MAX; lot++)
        st = sweep_lot(service, db, arena, &claimed);
    return st;
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
    (void)arena;
    return prune_in_lots(db, (struct prune){store_prune_given_back, MS_PER_DAY});
}

void coupon_jobs_init(const struct coupon_settings *settings, struct job jobs[COUPON_JOB_COUNT])
{
    const struct job all[COUPON_JOB_COUNT] = {
        {"expire_coupons",    settings->sweep_period_ms, expire,            .alone = true},
        {"sweep_holds",       settings->sweep_period_ms, sweep,             .alone = true},
        {"prune_idempotency", PRUNE_PERIOD_MS,           prune_idempotency, .alone = true},
        {"prune_barrier",     PRUNE_PERIOD_MS,           prune_barrier,     .alone = true},
        {"prune_given_back",  PRUNE_PERIOD_MS,           prune_given_back,  .alone = true},
        {"say_sold_out",      SOLD_OUT_PERIOD_MS,        say_sold_out,      .apart = true},
    };
    for (size_t i = 0; i < COUNT(all); i++)
        jobs[i] = all[i];
}
