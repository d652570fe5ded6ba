// A paid order is taken back: wallet, coupon, stock, each asked until it is done. The order is
// REFUNDING meanwhile and REFUNDED at the end; nothing here can be refused.

#include "lib/base/macros.h"
#include "proto/order.pb-c.h"
#include "proto/user.pb-c.h"
#include "services/order/give_back.h"
#include "services/order/pay_saga.h"

static const ProtobufCMessage *refund_request(const struct saga *saga, struct arena *arena);

// clang-format off
static const struct saga_step STEPS[] = {
    {.name = "refund_wallet",  .participant = "user",    .kind = SAGA_RETRIABLE,
     .action = "baro.user.User/RefundWallet",      .request = refund_request},
    {.name = "restore_coupon", .participant = "coupon",  .kind = SAGA_RETRIABLE,
     .action = "baro.coupon.Coupon/RestoreCoupon", .request = give_back_coupon},
    {.name = "return_stock",   .participant = "product", .kind = SAGA_RETRIABLE,
     .action = "baro.product.Product/ReturnStock", .request = give_back_stock},
};
// clang-format on

const struct saga_definition refund_saga = {
    .kind = "refund",
    .context = &baro__order__order_context__descriptor,
    .steps = STEPS,
    .step_count = COUNT(STEPS),
};

static const ProtobufCMessage *refund_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__OrderContext *order = (const Baro__Order__OrderContext *)saga->context;
    if (order->amount == 0)
        return NULL;
    Baro__User__RefundWalletRequest *message = arena_alloc(arena, sizeof(*message));
    baro__user__refund_wallet_request__init(message);
    message->user_id = order->user_id;
    message->order_id = order->order_id;
    return &message->base;
}
