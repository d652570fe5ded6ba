#pragma once
// What the files of the coupon service share: its context, and its handlers by noun.

#include "lib/db/ids.h"
#include "lib/service/live_orders.h"
#include "lib/service/service.h"
#include "services/coupon/sold_out.h"

struct coupon_settings {
    struct service_settings common; // first: lib/service fills it in
    const char *order_rpc;          // BARO_ORDER_RPC
    const char *order_bus;          // BARO_ORDER_BUS
    int64_t sweep_period_ms;        // BARO_SWEEP_PERIOD
};

struct coupon_service {
    const struct coupon_settings *settings;
    struct ids *coupon_ids;
    struct rpc_client *order;  // made when the service starts
    struct live_orders orders; // asked before a reservation is given back
    struct sold_out *sold_out; // NULL: PostgreSQL is asked always
};

enum { COUPON_JOB_COUNT = 6 };

extern const struct method_table coupon_methods;

// Makes everything that `service` needs but its settings.
struct status coupon_service_start(void *service, struct service_runtime *runtime);

// Ends what of it runs by itself and the client; handlers may still run.
void coupon_service_stop(void *service);

// When no handler runs any more. Both accept a service that did not start.
void coupon_service_destroy(void *service);

// Fills in the jobs with the periods of the settings.
void coupon_jobs_init(const struct coupon_settings *settings, struct job jobs[COUPON_JOB_COUNT]);

// campaigns.c
struct status handle_list_campaigns(struct batch *batch);
struct status handle_get_campaign(struct batch *batch);
struct status handle_create_campaign(struct batch *batch);
struct status handle_update_campaign(struct batch *batch);
void campaign_changed(struct batch *batch);
void prepare_claim(struct call *call);
struct status handle_claim(struct batch *batch);

// coupons.c
struct status handle_list_user_coupons(struct batch *batch);
struct status handle_cancel_user_coupon(struct batch *batch);
struct status handle_hold_coupon(struct batch *batch);
struct status handle_redeem_coupon(struct batch *batch);
struct status handle_restore_coupon(struct batch *batch);
