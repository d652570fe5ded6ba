// Work that repeats. Every job takes its rows with SKIP LOCKED or a lease, so any number of replicas
// may run it at once.

#include "services/order/news.h"
#include "services/order/sinks.h"
#include "services/order/starts.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/bus/outbox.h"
#include "lib/service/lots.h"
#include "lib/service/prune.h"

#include <string.h>

enum {
    EXPIRE_LOT = 200,
    KEEP_PERIOD_MS = 1000,
    PARTITION_PERIOD_MS = MS_PER_HOUR,
};

static struct status expire_locked(struct saga_starts *starts, struct order_set *set,
                                   struct launch *launches)
{
    for (size_t i = 0; i < set->count; i++) {
        struct order *order = &set->orders[i];
        order_apply(order, starts->arena, ORDER_EXPIRE, reason_word(REASON_ORDER_EXPIRED),
                    starts->now_us);
        launches[i] = *start_release(starts, order);
    }
    struct status st = store_save_set(starts->db, starts->arena, set);
    return failed(st) ? st : saga_starts_save(starts);
}

// One lot in one transaction; the sagas start when it is durable.
static struct status expire_lot(void *context, struct db *db, struct arena *arena, bool *more)
{
    struct order_service *service = context;
    struct order_set set = {.count = 0};
    struct saga_starts starts;
    int64_t now_us = 0;
    struct launch *launches = arena_array(arena, EXPIRE_LOT, sizeof(*launches));
    struct status st = db_begin(db);
    if (!failed(st))
        st = db_read_clock(db, &now_us);
    if (!failed(st))
        st = store_lock_expired(db, arena, EXPIRE_LOT, &set);
    if (!failed(st))
        st = saga_starts_init(&starts, service, db, arena, now_us, set.count);
    if (!failed(st))
        st = expire_locked(&starts, &set, launches);
    if (failed(st)) {
        db_rollback(db);
        return st;
    }
    const struct news *news = news_of(arena, order_set_list(&set, arena), set.count, 0);
    st = db_commit(db);
    if (!failed(st)) {
        news_publish(news, service->publisher);
        metric_add(service->counters.expired, (int64_t)set.count);
        sagas_launch(service->sagas, launches, set.count);
    }
    *more = set.count == EXPIRE_LOT;
    return st;
}

struct status expire_orders(void *service, struct db *db, struct arena *arena)
{
    return lots_run(expire_lot, service, db, arena);
}

static struct status keep_sagas(void *service, struct db *db, struct arena *arena)
{
    (void)arena;
    return sagas_keep(((struct order_service *)service)->sagas, db);
}

// What a sink has still to get stays, and what may stand before it.
struct status prune_outbox(void *service, struct db *db, struct arena *arena)
{
    int64_t behind_ms;
    struct status st = sinks_behind(((struct order_service *)service)->settings, db, &behind_ms);
    if (failed(st))
        return st;
    // Events may stand in another order than their times, by as much as a transaction lasts.
    behind_ms += MS_PER_HOUR;
    int64_t keep_ms = behind_ms > 7 * MS_PER_DAY ? behind_ms : 7 * MS_PER_DAY;
    return prune_in_lots(db, arena, (struct prune){outbox_prune, keep_ms});
}

static struct status prune_sink_events(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena, (struct prune){store_prune_sink_events, 30 * MS_PER_DAY});
}

static struct status prune_sagas(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    return prune_in_lots(db, arena, (struct prune){store_prune_sagas, 30 * MS_PER_DAY});
}

static struct status make_partitions(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    return store_make_partitions(db);
}

void order_jobs_init(const struct order_settings *settings, struct job jobs[ORDER_JOB_COUNT])
{
    const struct job rows[ORDER_JOB_COUNT] = {
        {"expire_orders",     settings->expiry_period_ms, expire_orders,     .alone = true},
        {"prune_idempotency", PRUNE_PERIOD_MS,            prune_idempotency, .alone = true},
        {"prune_outbox",      PRUNE_PERIOD_MS,            prune_outbox,      .alone = true},
        {"prune_sink_events", PRUNE_PERIOD_MS,            prune_sink_events, .alone = true},
        {"prune_sagas",       PRUNE_PERIOD_MS,            prune_sagas,       .alone = true},
        {"make_partitions",   PARTITION_PERIOD_MS,        make_partitions,   .alone = true},
        {"keep_sagas",        KEEP_PERIOD_MS,             keep_sagas,        .apart = true},
    };
    memcpy(jobs, rows, sizeof(rows));
}
