// What the coupon service offers, and to whom.

#include "services/coupon/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/access.h"
#include "lib/service/laws.h"
#include "proto/coupon.pb-c.h"
#include "services/coupon/laws.h"

static struct status run_allowed(struct batch *batch);

static const struct method METHODS[] = {
    {.name = "ListCampaigns", .kind = METHOD_READ, .batch_max = 1, .handle = run_allowed},
    {.name = "GetCampaign", .kind = METHOD_READ, .handle = run_allowed},
    {.name = "CreateCampaign",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .batch_max = 1,
     .handle = run_allowed},
    {.name = "UpdateCampaign",
     .kind = METHOD_WRITE,
     .batch_max = 1,
     .handle = run_allowed,
     .committed = campaign_changed},
    {.name = "Claim",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .prepare = prepare_claim,
     .handle = run_allowed},
    {.name = "ListUserCoupons", .kind = METHOD_READ, .batch_max = 1, .handle = run_allowed},
    {.name = "CancelUserCoupon",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_allowed},
    {.name = "HoldCoupon", .kind = METHOD_WRITE, .handle = run_allowed}, // idempotent by order id
    {.name = "RedeemCoupon", .kind = METHOD_WRITE, .guard = &barrier_guard, .handle = run_allowed},
    {.name = "RestoreCoupon", .kind = METHOD_WRITE, .guard = &barrier_guard, .handle = run_allowed},
    {.name = "CheckLaw", .kind = METHOD_READ, .batch_max = 1, .handle = run_allowed},
    {.name = "ListOrderFacts", .kind = METHOD_READ, .batch_max = 1, .handle = run_allowed},
};

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

const struct method_table coupon_methods = {&baro__coupon__coupon__descriptor, METHODS,
                                            COUNT(METHODS)};

static struct status run_allowed(struct batch *batch)
{
    return access_handle(batch, RULES, COUNT(RULES));
}
