// An order that nobody will pay (cancelled while PENDING, or expired) gives back what was held for
// it. The order has its final state already; these steps are asked until they are done.

#include "lib/base/macros.h"
#include "proto/order.pb-c.h"
#include "services/order/give_back.h"
#include "services/order/pay_saga.h"

// clang-format off
static const struct saga_step STEPS[] = {
    {.name = "release_stock",  .participant = "product", .kind = SAGA_RETRIABLE,
     .action = "baro.product.Product/ReleaseStock", .request = give_back_stock},
    {.name = "restore_coupon", .participant = "coupon",  .kind = SAGA_RETRIABLE,
     .action = "baro.coupon.Coupon/RestoreCoupon",  .request = give_back_coupon},
};
// clang-format on

const struct saga_definition release_saga = {
    .kind = "release",
    .context = &baro__order__order_context__descriptor,
    .steps = STEPS,
    .step_count = COUNT(STEPS),
};
