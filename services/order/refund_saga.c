// A paid order is taken back: wallet, coupon, stock, each asked until it is done. The order is
// REFUNDING meanwhile and REFUNDED at the end; nothing here can be refused.

#include "lib/base/macros.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "proto/user.pb-c.h"
#include "services/order/pay_saga.h"

typedef const ProtobufCMessage *request(const struct saga *saga, struct arena *arena);
static request refund_request, restore_request, return_request;

// clang-format off
static const struct saga_step STEPS[] = {
    {.name = "refund_wallet",  .participant = "user",    .kind = SAGA_RETRIABLE,
     .action = "baro.user.User/RefundWallet",      .request = refund_request},
    {.name = "restore_coupon", .participant = "coupon",  .kind = SAGA_RETRIABLE,
     .action = "baro.coupon.Coupon/RestoreCoupon", .request = restore_request},
    {.name = "return_stock",   .participant = "product", .kind = SAGA_RETRIABLE,
     .action = "baro.product.Product/ReturnStock", .request = return_request},
};
// clang-format on

const struct saga_definition refund_saga = {
    .kind = "refund",
    .context = &baro__order__order_context__descriptor,
    .steps = STEPS,
    .step_count = COUNT(STEPS),
};

static const Baro__Order__OrderContext *context_of(const struct saga *saga)
{
    return (const Baro__Order__OrderContext *)saga->context;
}

static const ProtobufCMessage *refund_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__OrderContext *order = context_of(saga);
    if (order->amount == 0)
        return NULL;
    Baro__User__RefundWalletRequest *message = arena_alloc(arena, sizeof(*message));
    baro__user__refund_wallet_request__init(message);
    message->user_id = order->user_id;
    message->order_id = order->order_id;
    return &message->base;
}

static const ProtobufCMessage *restore_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__OrderContext *order = context_of(saga);
    if (order->user_coupon_id == 0)
        return NULL;
    Baro__Coupon__CouponStepRequest *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__coupon_step_request__init(message);
    message->user_coupon_id = order->user_coupon_id;
    message->order_id = order->order_id;
    return &message->base;
}

static const ProtobufCMessage *return_request(const struct saga *saga, struct arena *arena)
{
    Baro__Product__StockStepRequest *message = arena_alloc(arena, sizeof(*message));
    baro__product__stock_step_request__init(message);
    message->order_id = context_of(saga)->order_id;
    return &message->base;
}
