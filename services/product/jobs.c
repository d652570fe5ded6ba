// What repeats: releasing holds whose time is over, and forgetting what nobody asks for any more.
//
// The sweep claims a lot of expired holds by putting their expiry off, asks the order service which
// of their orders live, and releases the rest; a hold is only ever released after that answer. No
// transaction is open while it asks. If it dies anywhere, the claim runs out and the next sweep takes
// the hold up again.

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/service/prune.h"
#include "services/product/service.h"
#include "services/product/store.h"

enum {
    SWEEP_PERIOD_MS = 30 * MS_PER_S,
    SWEEP_LEASE_MS = 60 * MS_PER_S,
    SWEEP_LOT = 200,     // lines
    SWEEP_LOTS_MAX = 50, // per run: other jobs want their turn
};

static struct status expire_orders(struct db *db, struct arena *arena, const int64_t *orders,
                                   size_t count)
{
    struct book book;
    struct status st = store_load_book(db, arena, orders, count, &book);
    for (size_t i = 0; !failed(st) && i < count; i++)
        st = book_change(&book, orders[i], HOLD_EXPIRE);
    return failed(st) ? st : store_save_book(db, arena, &book);
}

static struct status release_dead(struct db *db, struct arena *arena, const int64_t *orders,
                                  size_t count)
{
    struct status st = count ? db_begin(db) : OK;
    if (failed(st) || count == 0)
        return st;
    st = expire_orders(db, arena, orders, count);
    if (!failed(st))
        st = db_commit(db);
    db_rollback(db);
    return st;
}

static struct status sweep_lot(const struct product_service *service, struct db *db,
                               struct arena *arena, size_t *claimed)
{
    int64_t *orders;
    size_t count;
    struct status st = store_claim_expired(db, arena, SWEEP_LOT, SWEEP_LEASE_MS, &orders, &count);
    if (failed(st))
        return st;
    *claimed = count;
    if (count == 0)
        return OK;
    st = live_orders_drop(&service->orders, arena, orders, count, &count);
    if (failed(st))
        return st;
    st = release_dead(db, arena, orders, count);
    if (failed(st))
        return st;
    metric_add(
        metrics_counter("baro_product_holds_expired_total", "Orders whose holds were swept", NULL),
        (int64_t)count);
    if (count)
        log_info("expired holds released", log_int("orders", (int64_t)count));
    return OK;
}

struct status sweep_holds(void *service, struct db *db, struct arena *arena)
{
    struct status st = OK;
    size_t claimed = 1;
    for (int lot = 0; !failed(st) && claimed && lot < SWEEP_LOTS_MAX; lot++)
        st = sweep_lot(service, db, arena, &claimed);
    return st;
}

const struct job product_jobs[] = {
    {"sweep_holds",       SWEEP_PERIOD_MS, sweep_holds      },
    {"prune_idempotency", PRUNE_PERIOD_MS, prune_idempotency},
    {"prune_barrier",     PRUNE_PERIOD_MS, prune_barrier    },
};
const size_t product_job_count = COUNT(product_jobs);
