// PayOrder: PENDING -> PAYING with a new attempt and its saga; the call waits for the saga's end.

#include "services/order/news.h"
#include "services/order/starts.h"

#include "lib/base/clock.h"
#include "lib/base/timeid.h"

static const Baro__Order__PayOrderRequest *request_of(const struct call *call)
{
    return (const Baro__Order__PayOrderRequest *)call->request;
}

// One coupon per order: the one that is held for it, or the one that comes with the payment.
static struct status choose_coupon(struct order *order, const struct call *call)
{
    const Baro__Int64 *given = request_of(call)->user_coupon_id;
    if (!given || given->value == order->user_coupon_id)
        return OK;
    if (given->value <= 0)
        return invalid("user_coupon_id", "must be the id of one of your coupons");
    if (order->user_coupon_id)
        return refuse(REASON_COUPON_NOT_USABLE, "the order has another coupon already");
    order->user_coupon_id = given->value;
    return OK;
}

static struct status check(const struct batch *batch, const struct call *call, struct order *order)
{
    if (!order)
        return refuse(REASON_ORDER_NOT_FOUND, "there is no such order");
    if (order->user_id != call->caller.user_id)
        return refuse(REASON_FORBIDDEN, "this is not your order");
    struct status st = order_check_payable(order, batch->now_us);
    return failed(st) ? st : choose_coupon(order, call);
}

// The attempts of an order stand in the order of their ids, whichever replicas make them: one in the
// same second as the one before takes the next second for its id.
static int64_t attempt_id(const struct batch *batch, const struct order *order, int64_t sequence)
{
    int64_t next_us = order->last_payment_id ? time_id_us(order->last_payment_id) + US_PER_S : 0;
    return time_id(next_us > batch->now_us ? next_us : batch->now_us, sequence);
}

static struct status pay_all(struct batch *batch, struct order_set *set, struct saga_starts *starts)
{
    struct order_service *service = batch->service;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct order *order = order_set_find(set, request_of(call)->order_id);
        struct status st = check(batch, call, order);
        if (failed(st)) {
            call_refuse(call, st);
            continue;
        }
        int64_t payment_id;
        st = ids_take(service->payment_ids, batch->tx, 1, &payment_id);
        if (failed(st))
            return st;
        call->own = start_payment(starts, order, attempt_id(batch, order, payment_id), false, call,
                                  request_of(call)->wait_ms);
    }
    return OK;
}

struct status handle_pay_order(struct batch *batch)
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
    struct status st =
        store_load_orders(batch->tx, batch->arena, ids, count, ORDER_LOAD_LOCKED, &set);
    if (!failed(st))
        st = store_find_last_attempts(batch->tx, batch->arena, &set);
    if (!failed(st))
        st = saga_starts_init(&starts, batch->service, batch->tx, batch->arena, batch->now_us,
                              count);
    if (!failed(st))
        st = pay_all(batch, &set, &starts);
    if (!failed(st))
        st = news_save_set(batch, &set);
    return failed(st) ? st : saga_starts_save(&starts);
}

// Tells the news and starts the sagas of a batch. Afterwards their calls belong to whoever answers them.
void launch_committed(struct batch *batch)
{
    struct order_service *service = batch->service;
    struct launch *launches = arena_array(batch->arena, batch->count, sizeof(*launches));
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct call *call = batch->calls[i];
        bool started =
            call->deferred || (call->settled && !failed(call->status) && !call->replayed);
        if (started && call->own)
            launches[count++] = *(const struct launch *)call->own;
    }
    news_committed(batch);
    sagas_launch(service->sagas, launches, count);
}
