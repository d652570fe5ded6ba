// CancelOrder: a PENDING order is CANCELLED at once and gives back what it held; a PAID one is
// refunded by a saga, whose end the call waits for. Everything else is refused.

#include "services/order/news.h"
#include "services/order/owner.h"
#include "services/order/starts.h"
#include "services/order/wire.h"

enum { REFUND_WAIT_MS = 2000 };

static const Baro__Order__CancelOrderRequest *request_of(const struct call *call)
{
    return (const Baro__Order__CancelOrderRequest *)call->request;
}

static void cancel(struct saga_starts *starts, struct order *order, struct call *call)
{
    if (!order) {
        call_refuse(call, refuse(REASON_ORDER_NOT_FOUND, "there is no such order"));
        return;
    }
    struct status st = owner_check(call->caller, order->user_id);
    if (failed(st)) {
        call_refuse(call, st);
        return;
    }
    if (!order_apply(order, starts->arena, ORDER_CANCEL, NULL, starts->now_us)) {
        call_refuse(call, order_illegal(call->arena, order, "cancelled"));
        return;
    }
    if (order->status == ORDER_REFUNDING) {
        call->own = start_refund(starts, order, call, REFUND_WAIT_MS);
        return;
    }
    call->own = start_release(starts, order);
    call_reply(call, &wire_order(starts->arena, order)->base);
}

struct status handle_cancel_order(struct batch *batch)
{
    struct order_set set;
    struct saga_starts starts;
    struct call *call;
    size_t count = 0;
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[count++] = request_of(call)->order_id;
    if (count == 0)
        return OK;
    struct status st = store_load_orders(batch->tx, batch->arena, ids, count,
                                         ORDER_LOAD_LOCKED | ORDER_LOAD_PARTS, &set);
    if (!failed(st))
        st = saga_starts_init(&starts, batch->service, batch->tx, batch->arena, batch->now_us,
                              count);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        cancel(&starts, order_set_find(&set, request_of(call)->order_id), call);
    st = news_save_set(batch, &set);
    return failed(st) ? st : saga_starts_save(&starts);
}
