// What repeats. Each job handles a bounded number of rows a run and is safe on any number of replicas:
// rows are claimed with SKIP LOCKED, or changed only if they are still as they were found.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "proto/order.pb-c.h"
#include "services/coupon/service.h"
#include "services/coupon/store.h"

enum {
    MINUTE_MS = 60 * MS_PER_S,
    HOUR_MS = 60 * MINUTE_MS,
    BARRIER_KEEP_MS = 7 * 24 * HOUR_MS,
    PRUNE_LIMIT = 10000,
    EXPIRE_LIMIT = 1000,
    SWEEP_LIMIT = 500,
    ASK_TIMEOUT_MS = 2000,
    EXTENSION_MS = MINUTE_MS,
};

static struct status expire(void *service, struct db *db)
{
    int64_t expired = EXPIRE_LIMIT;
    struct status st = OK;

    (void)service;
    while (!failed(st) && expired == EXPIRE_LIMIT)
        st = store_expire_coupons(db, EXPIRE_LIMIT, &expired);
    return st;
}

static struct status ask_orders(const struct coupon_service *service, struct arena *arena,
                                int64_t *order_ids, size_t count,
                                Baro__Order__FindLiveOrdersReply **reply)
{
    Baro__Order__FindLiveOrdersRequest request = BARO__ORDER__FIND_LIVE_ORDERS_REQUEST__INIT;
    request.order_ids = order_ids;
    request.n_order_ids = count;
    return rpc_call_wait(service->orders,
                         &(struct rpc_request){.method = "baro.order.Order/FindLiveOrders",
                                               .message = &request.base,
                                               .caller = {.role = CALLER_SERVICE},
                                               .timeout_ms = ASK_TIMEOUT_MS,
                                               .idempotent = true},
                         &baro__order__find_live_orders_reply__descriptor, arena,
                         (ProtobufCMessage **)reply);
}

static bool lives(const Baro__Order__FindLiveOrdersReply *live, int64_t order_id)
{
    for (size_t i = 0; i < live->n_order_ids; i++)
        if (live->order_ids[i] == order_id)
            return true;
    return false;
}

// A reservation outlives its time only while its order does: a payment may still want it.
static struct status sweep(void *context, struct db *db)
{
    const struct coupon_service *service = context;
    SCOPED(arena) *arena = arena_create();
    Baro__Order__FindLiveOrdersReply *live;
    int64_t *order_ids;
    size_t count, dead = 0;

    struct status st = store_find_stale_holds(db, arena, SWEEP_LIMIT, &order_ids, &count);
    if (failed(st) || count == 0)
        return st;
    st = ask_orders(service, arena, order_ids, count, &live);
    if (failed(st))
        return st;
    for (size_t i = 0; i < count; i++)
        if (!lives(live, order_ids[i]))
            order_ids[dead++] = order_ids[i];
    st = store_release_stale_holds(db, order_ids, dead);
    return failed(st) ? st
                      : store_extend_holds(db, live->order_ids, live->n_order_ids, EXTENSION_MS);
}

static struct status prune_idempotency(void *service, struct db *db)
{
    int64_t deleted;
    (void)service;
    return inbox_prune(db, PRUNE_LIMIT, &deleted);
}

static struct status prune_barrier(void *service, struct db *db)
{
    int64_t deleted;
    (void)service;
    return barrier_prune(db, BARRIER_KEEP_MS, PRUNE_LIMIT, &deleted);
}

void coupon_jobs_init(const struct coupon_settings *settings, struct job jobs[COUPON_JOB_COUNT])
{
    const struct job all[COUPON_JOB_COUNT] = {
        {"expire_coupons",    settings->sweep_period_ms, expire           },
        {"sweep_holds",       settings->sweep_period_ms, sweep            },
        {"prune_idempotency", MINUTE_MS,                 prune_idempotency},
        {"prune_barrier",     MINUTE_MS,                 prune_barrier    },
    };
    for (size_t i = 0; i < COUNT(all); i++)
        jobs[i] = all[i];
}
