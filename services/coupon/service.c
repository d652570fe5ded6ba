// What the coupon service offers, and to whom.

#include "services/coupon/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/access.h"
#include "lib/service/laws.h"
#include "proto/coupon.pb-c.h"
#include "services/coupon/laws.h"

static struct status handle_check_law(struct batch *batch)
{
    return check_law_handle(batch, &coupon_laws);
}

static struct status handle_list_order_facts(struct batch *batch)
{
    return list_order_facts_handle(batch, &coupon_laws);
}

static const struct access_rule RULES[] = {
    {"ListCampaigns",    ACCESS_ANYBODY, handle_list_campaigns    },
    {"GetCampaign",      ACCESS_ANYBODY, handle_get_campaign      },
    {"CreateCampaign",   ACCESS_ADMIN,   handle_create_campaign   },
    {"UpdateCampaign",   ACCESS_ADMIN,   handle_update_campaign   },
    {"Claim",            ACCESS_USER,    handle_claim             },
    {"ListUserCoupons",  ACCESS_USER,    handle_list_user_coupons },
    {"CancelUserCoupon", ACCESS_ADMIN,   handle_cancel_user_coupon},
    {"HoldCoupon",       ACCESS_SERVICE, handle_hold_coupon       },
    {"RedeemCoupon",     ACCESS_SERVICE, handle_redeem_coupon     },
    {"RestoreCoupon",    ACCESS_SERVICE, handle_restore_coupon    },
    {"CheckLaw",         ACCESS_SERVICE, handle_check_law         },
    {"ListOrderFacts",   ACCESS_SERVICE, handle_list_order_facts  },
};

static struct status handle(struct batch *batch)
{
    return access_handle(batch, RULES, COUNT(RULES));
}

// clang-format off
static const struct method METHODS[] = {
    {"ListCampaigns",    METHOD_READ,  .handle = handle, .batch_max = 1},
    {"GetCampaign",      METHOD_READ,  .handle = handle},
    {"CreateCampaign",   METHOD_WRITE, .handle = handle, .guard = &idempotency_guard, .batch_max = 1},
    {"UpdateCampaign",   METHOD_WRITE, .handle = handle, .batch_max = 1, .committed = campaign_changed},
    {"Claim",            METHOD_WRITE, .handle = handle, .guard = &idempotency_guard, .prepare = prepare_claim},
    {"ListUserCoupons",  METHOD_READ,  .handle = handle, .batch_max = 1},
    {"CancelUserCoupon", METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"HoldCoupon",       METHOD_WRITE, .handle = handle}, // idempotent by order id
    {"RedeemCoupon",     METHOD_WRITE, .handle = handle, .guard = &barrier_guard},
    {"RestoreCoupon",    METHOD_WRITE, .handle = handle, .guard = &barrier_guard},
    {"CheckLaw",         METHOD_READ,  .handle = handle, .batch_max = 1},
    {"ListOrderFacts",   METHOD_READ,  .handle = handle, .batch_max = 1},
};
// clang-format on

const struct method_table coupon_methods = {
    .service = &baro__coupon__coupon__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};
