// What repeats: releasing holds whose time is over, storing what was popular at midnight, and
// forgetting what nobody asks for any more.

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/service/prune.h"
#include "lib/service/sweep.h"
#include "services/product/service.h"
#include "services/product/store.h"

enum {
    SNAPSHOT_PERIOD_MS = 5 * MS_PER_S,
    SNAPSHOT_AFTER_MS = 5 * MS_PER_S, // after midnight: events come within a second
};

static struct metric *holds_expired(void)
{
    return metrics_counter("baro_product_holds_expired_total", "Orders whose holds were swept",
                           NULL);
}

static struct status expire_holds(struct db *db, struct arena *arena, const int64_t *orders,
                                  size_t count)
{
    struct book book;
    struct status st = store_load_book(db, arena, orders, count, &book);
    for (size_t i = 0; !failed(st) && i < count; i++)
        st = book_change(&book, orders[i], HOLD_EXPIRE);
    return failed(st) ? st : store_save_book(db, arena, &book);
}

static struct status release_holds(struct db *db, struct arena *arena, const int64_t *orders,
                                   size_t count)
{
    struct status st = db_begin(db);
    if (failed(st))
        return st;
    st = expire_holds(db, arena, orders, count);
    if (!failed(st))
        st = db_commit(db);
    db_rollback(db);
    if (failed(st))
        return st;
    metric_add(holds_expired(), (int64_t)count);
    log_info("expired holds released", log_int("orders", (int64_t)count));
    return OK;
}

static struct status sweep_holds(void *context, struct db *db, struct arena *arena)
{
    const struct product_service *service = context;
    return sweep_dead_orders((struct sweep){.orders = &service->orders,
                                            .claim = store_claim_expired,
                                            .release = release_holds},
                             db, arena);
}

static struct status take_snapshot(struct db *db, int64_t midnight_us)
{
    bool ours;
    struct status st = store_claim_snapshot(db, midnight_us, &ours);
    if (failed(st) || !ours)
        return st;
    return store_fill_snapshot(db, midnight_us, window_before(midnight_us, POPULAR_DAYS),
                               POPULAR_LIMIT_MAX);
}

// The window ends at midnight whenever the job comes; it waits a little for the last payments.
struct status take_popular_snapshot(void *service, struct db *db, struct arena *arena)
{
    int64_t now_us = 0;
    struct status st = db_read_clock(db, &now_us);
    (void)service;
    (void)arena;
    if (failed(st) || now_us - day_of(now_us) < SNAPSHOT_AFTER_MS * US_PER_MS)
        return st;
    st = db_begin(db);
    if (failed(st))
        return st;
    st = take_snapshot(db, day_of(now_us));
    if (!failed(st))
        st = db_commit(db);
    db_rollback(db);
    return st;
}

struct status prune_sales(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena,
                         (struct prune){store_prune_sales, SALES_KEEP_DAYS * MS_PER_DAY});
}

static struct status prune_given_back(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena, (struct prune){store_prune_given_back, MS_PER_DAY});
}

void product_jobs_init(const struct product_settings *settings, struct job jobs[PRODUCT_JOB_COUNT])
{
    (void)holds_expired(); // there from the start, at 0
    const struct job all[PRODUCT_JOB_COUNT] = {
        {"sweep_holds",       settings->sweep_period_ms, sweep_holds,           .alone = true},
        {"popular_snapshot",  SNAPSHOT_PERIOD_MS,        take_popular_snapshot, .alone = true},
        {"prune_idempotency", PRUNE_PERIOD_MS,           prune_idempotency,     .alone = true},
        {"prune_barrier",     PRUNE_PERIOD_MS,           prune_barrier,         .alone = true},
        {"prune_given_back",  PRUNE_PERIOD_MS,           prune_given_back,      .alone = true},
        {"prune_sales",       PRUNE_PERIOD_MS,           prune_sales,           .alone = true},
    };
    for (size_t i = 0; i < COUNT(all); i++)
        jobs[i] = all[i];
}
