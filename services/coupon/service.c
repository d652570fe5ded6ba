// What the coupon service offers and to whom, and how its parts are put together.

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

struct status coupon_service_start(void *context, struct service_runtime *runtime)
{
    struct coupon_service *service = context;
    (void)runtime;
    service->coupon_ids = ids_create("user_coupon_id");
    service->order = rpc_client_create(&(struct rpc_client_options){
        .service = "order",
        .addresses = service->settings->order_rpc,
        .secret = service->settings->common.secret,
    });
    service->orders = live_orders_of(service->order);
    return sold_out_create(service->settings->common.redis_url, &service->sold_out);
}

void coupon_service_stop(void *context)
{
    struct coupon_service *service = context;
    sold_out_stop(service->sold_out);
    rpc_client_destroy(service->order);
    service->order = NULL;
}

void coupon_service_destroy(void *context)
{
    struct coupon_service *service = context;
    sold_out_destroy(service->sold_out);
    service->sold_out = NULL;
    ids_destroy(service->coupon_ids);
    service->coupon_ids = NULL;
}
