// An order that nobody will pay (cancelled while PENDING, or expired) gives back what was held for
// it. The order has its final state already; these steps are asked until they are done.

#include "lib/base/macros.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "services/order/pay_saga.h"

typedef const ProtobufCMessage *request(const struct saga *saga, struct arena *arena);
static request release_request, restore_request;

// clang-format off
static const struct saga_step STEPS[] = {
    {.name = "release_stock",  .participant = "product", .kind = SAGA_RETRIABLE,
     .action = "baro.product.Product/ReleaseStock", .request = release_request},
    {.name = "restore_coupon", .participant = "coupon",  .kind = SAGA_RETRIABLE,
     .action = "baro.coupon.Coupon/RestoreCoupon",  .request = restore_request},
};
// clang-format on

const struct saga_definition release_saga = {
    .kind = "release",
    .context = &baro__order__order_context__descriptor,
    .steps = STEPS,
    .step_count = COUNT(STEPS),
};

static const ProtobufCMessage *release_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__OrderContext *order = (const Baro__Order__OrderContext *)saga->context;
    Baro__Product__StockStepRequest *message = arena_alloc(arena, sizeof(*message));
    baro__product__stock_step_request__init(message);
    message->order_id = order->order_id;
    return &message->base;
}

static const ProtobufCMessage *restore_request(const struct saga *saga, struct arena *arena)
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
