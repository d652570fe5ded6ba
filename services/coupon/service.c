// What the coupon service offers, and to whom.

#include "services/coupon/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
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

// clang-format off
static const struct method METHODS[] = {
    {"ListCampaigns",    METHOD_READ,  ACCESS_ANYBODY, handle_list_campaigns,     .batch_max = 1},
    {"GetCampaign",      METHOD_READ,  ACCESS_ANYBODY, handle_get_campaign},
    {"CreateCampaign",   METHOD_WRITE, ACCESS_ADMIN,   handle_create_campaign,    .guard = &idempotency_guard, .batch_max = 1},
    {"UpdateCampaign",   METHOD_WRITE, ACCESS_ADMIN,   handle_update_campaign,    .batch_max = 1, .committed = campaign_changed},
    {"Claim",            METHOD_WRITE, ACCESS_USER,    handle_claim,              .guard = &idempotency_guard, .prepare = prepare_claim},
    {"ListUserCoupons",  METHOD_READ,  ACCESS_USER,    handle_list_user_coupons,  .batch_max = 1},
    {"CancelUserCoupon", METHOD_WRITE, ACCESS_ADMIN,   handle_cancel_user_coupon, .guard = &idempotency_guard},
    {"HoldCoupon",       METHOD_WRITE, ACCESS_SERVICE, handle_hold_coupon}, // idempotent by order id
    {"RedeemCoupon",     METHOD_WRITE, ACCESS_SERVICE, handle_redeem_coupon,      .guard = &barrier_guard},
    {"RestoreCoupon",    METHOD_WRITE, ACCESS_SERVICE, handle_restore_coupon,     .guard = &barrier_guard},
    {"CheckLaw",         METHOD_READ,  ACCESS_SERVICE, handle_check_law,          .batch_max = 1},
    {"ListOrderFacts",   METHOD_READ,  ACCESS_SERVICE, handle_list_order_facts,   .batch_max = 1},
};
// clang-format on

const struct method_table coupon_methods = {
    .service = &baro__coupon__coupon__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};
