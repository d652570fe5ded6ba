// The answer names who lives; who is not named is dead, also an order that never came to be.

#include "lib/service/live_orders.h"

#include "proto/order.pb-c.h"

#include <stdlib.h>

enum { ASK_TIMEOUT_MS = 2000 };

static struct status ask(void *client, struct arena *arena, const int64_t *order_ids, size_t count,
                         int64_t **live, size_t *live_count)
{
    Baro__Order__FindLiveOrdersRequest request = BARO__ORDER__FIND_LIVE_ORDERS_REQUEST__INIT;
    ProtobufCMessage *reply;

    request.order_ids = arena_copy(arena, order_ids, count * sizeof(*order_ids));
    request.n_order_ids = count;
    struct status st =
        rpc_call_wait(client,
                      &(struct rpc_request){.method = "baro.order.Order/FindLiveOrders",
                                            .message = &request.base,
                                            .caller = {.role = CALLER_SERVICE},
                                            .timeout_ms = ASK_TIMEOUT_MS,
                                            .idempotent = true},
                      &baro__order__find_live_orders_reply__descriptor, arena, &reply);
    if (failed(st))
        return st;
    const Baro__Order__FindLiveOrdersReply *answer = (const void *)reply;
    *live = answer->order_ids;
    *live_count = answer->n_order_ids;
    return OK;
}

struct live_orders live_orders_of(struct rpc_client *client)
{
    return (struct live_orders){.find = ask, .context = client};
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

struct status live_orders_drop(const struct live_orders *source, struct arena *arena,
                               int64_t *order_ids, size_t count, size_t *dead)
{
    int64_t *live = NULL;
    size_t live_count = 0, left = 0;

    struct status st = source->find(source->context, arena, order_ids, count, &live, &live_count);
    if (failed(st))
        return st;
    if (live_count)
        qsort(live, live_count, sizeof(*live), compare_ids);
    for (size_t i = 0; i < count; i++)
        if (!live_count || !bsearch(&order_ids[i], live, live_count, sizeof(*live), compare_ids))
            order_ids[left++] = order_ids[i];
    *dead = left;
    return OK;
}
