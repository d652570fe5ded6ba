#include "services/order/give_back.h"

#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"

const ProtobufCMessage *give_back_stock(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__OrderContext *order = (const Baro__Order__OrderContext *)saga->context;
    Baro__Product__StockStepRequest *message = arena_alloc(arena, sizeof(*message));
    baro__product__stock_step_request__init(message);
    message->order_id = order->order_id;
    return &message->base;
}

const ProtobufCMessage *give_back_coupon(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__OrderContext *order = (const Baro__Order__OrderContext *)saga->context;
    if (order->user_coupon_id == 0)
        return NULL;
    Baro__Coupon__CouponStepRequest *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__coupon_step_request__init(message);
    message->user_coupon_id = order->user_coupon_id;
    message->order_id = order->order_id;
    return &message->base;
}
