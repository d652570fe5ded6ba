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
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "proto/order.pb-c.h"
#include "services/product/service.h"
#include "services/product/store.h"

#include <string.h>

enum {
    SWEEP_PERIOD_MS = 30 * MS_PER_S,
    SWEEP_LEASE_MS = 60 * MS_PER_S,
    SWEEP_LOT = 200,     // lines
    SWEEP_LOTS_MAX = 50, // per run: other jobs want their turn
    ASK_TIMEOUT_MS = 2000,
    MINUTE_MS = 60 * MS_PER_S,
    BARRIER_KEEP_MS = 7 * 24 * 60 * MINUTE_MS,
    PRUNE_LIMIT = 10000,
};

struct status ask_live_orders(void *client, struct arena *arena, const int64_t *order_ids,
                              size_t count, int64_t **live, size_t *live_count)
{
    Baro__Order__FindLiveOrdersRequest request = BARO__ORDER__FIND_LIVE_ORDERS_REQUEST__INIT;
    ProtobufCMessage *reply;

    request.order_ids = arena_copy(arena, order_ids, count * sizeof *order_ids);
    request.n_order_ids = count;
    struct status st =
        rpc_call_wait(client,
                      &(struct rpc_request){
                          .method = "baro.order.Order/FindLiveOrders",
                          .message = &request.base,
                          .caller = {.role = CALLER_SERVICE},
                          .timeout_ms = ASK_TIMEOUT_MS,
                          .idempotent = true,
                      },
                      &baro__order__find_live_orders_reply__descriptor, arena, &reply);
    if (failed(st))
        return st;
    const Baro__Order__FindLiveOrdersReply *answer = (const void *)reply;
    *live = answer->order_ids;
    *live_count = answer->n_order_ids;
    return OK;
}

static bool contains(const int64_t *ids, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

// Keeps the ids that are not among `live`; returns how many.
static size_t drop_live(int64_t *ids, size_t count, const int64_t *live, size_t live_count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!contains(live, live_count, ids[i]))
            ids[left++] = ids[i];
    return left;
}

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
    int64_t *orders, *live = NULL;
    size_t count, live_count = 0;
    struct status st = store_claim_expired(db, arena, SWEEP_LOT, SWEEP_LEASE_MS, &orders, &count);
    if (failed(st))
        return st;
    *claimed = count;
    if (count == 0)
        return OK;
    st = service->find_live_orders(service->find_context, arena, orders, count, &live, &live_count);
    if (failed(st))
        return st;
    count = drop_live(orders, count, live, live_count);
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

static struct status prune_idempotency(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    int64_t deleted;
    return inbox_prune(db, PRUNE_LIMIT, &deleted);
}

static struct status prune_barrier(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    int64_t deleted;
    return barrier_prune(db, BARRIER_KEEP_MS, PRUNE_LIMIT, &deleted);
}

const struct job product_jobs[] = {
    {"sweep_holds",       SWEEP_PERIOD_MS, sweep_holds      },
    {"prune_idempotency", MINUTE_MS,       prune_idempotency},
    {"prune_barrier",     MINUTE_MS,       prune_barrier    },
};
const size_t product_job_count = COUNT(product_jobs);
