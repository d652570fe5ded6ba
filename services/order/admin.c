// What admins change: the way of a paid order to its owner, and sagas that need a push.

#include "services/order/news.h"
#include "services/order/service.h"
#include "services/order/wire.h"

static const Baro__Order__SetOrderStatusRequest *status_request(const struct call *call)
{
    return (const Baro__Order__SetOrderStatusRequest *)call->request;
}

static struct status set_status(struct batch *batch, const struct call *call, struct order *order)
{
    enum order_status wanted = (enum order_status)status_request(call)->status;
    enum order_event event;
    if (!order_admin_event(wanted, &event))
        return invalid("status", "must be PREPARING, SHIPPING or DELIVERED");
    if (!order)
        return refuse(REASON_ORDER_NOT_FOUND, "there is no such order");
    if (!order_apply(order, batch->arena, event, NULL, batch->now_us))
        return order_illegal(call->arena, order, order_status_name(wanted));
    return OK;
}

struct status handle_set_order_status(struct batch *batch)
{
    struct order_set set;
    struct call *call;
    size_t count = 0;
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[count++] = status_request(call)->order_id;
    if (count == 0)
        return OK;
    struct status st = store_load_orders(batch->tx, batch->arena, ids, count,
                                         ORDER_LOAD_LOCKED | ORDER_LOAD_PARTS, &set);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct order *order = order_set_find(&set, status_request(call)->order_id);
        struct status own = set_status(batch, call, order);
        if (failed(own))
            call_refuse(call, own);
        else
            call_reply(call, &wire_order(batch->arena, order)->base);
    }
    return news_save_set(batch, &set);
}

static int64_t saga_id_of(const struct call *call)
{
    return ((const Baro__Order__RetrySagaRequest *)call->request)->saga_id;
}

static void answer_retry(struct batch *batch, struct call *call, const struct saga_set *found)
{
    if (found->count == 0)
        call_refuse(call, refuse(REASON_SAGA_NOT_FOUND, "there is no such saga"));
    else if (found->rows[0].state == SAGA_COMPLETED || found->rows[0].state == SAGA_COMPENSATED)
        call_refuse(call, refuse(REASON_ILLEGAL_TRANSITION, "the saga has ended"));
    else
        call_reply(call, &wire_saga(batch->arena, &found->rows[0])->base);
}

// The saga may be at another replica: ending its lease lets the next one that looks take it over and
// ask at once.
struct status handle_retry_saga(struct batch *batch)
{
    struct order_service *service = batch->service;
    struct saga_set set;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        int64_t id = saga_id_of(call);
        struct status st = store_load_sagas(batch->tx, batch->arena, &id, 1, &set);
        if (!failed(st) && set.count)
            st = store_expire_lease(batch->tx, id, sagas_owner(service->sagas));
        if (failed(st))
            return st;
        answer_retry(batch, call, &set);
    }
    return OK;
}

void retry_saga_committed(struct batch *batch)
{
    struct order_service *service = batch->service;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->calls[i]->settled && !failed(batch->calls[i]->status) &&
            !batch->calls[i]->replayed)
            sagas_retry(service->sagas, saga_id_of(batch->calls[i]));
}
