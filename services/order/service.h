#pragma once
// What the handlers of the order service share.
//
// A file per theme holds its handlers; service.c holds the table that names them all.

#include "lib/db/ids.h"
#include "lib/rpc/client.h"
#include "lib/rpc/dispatcher.h"
#include "lib/service/service.h"
#include "services/order/counters.h"
#include "services/order/delivery.h"
#include "services/order/id_pool.h"
#include "services/order/kafka.h"
#include "services/order/sagas.h"
#include "services/order/webhook.h"

struct order_settings {
    struct service_settings common;
    const char *user_rpc, *product_rpc, *coupon_rpc; // BARO_USER_RPC, ..
    const char *user_bus, *product_bus, *coupon_bus; // BARO_USER_BUS, ..
    int64_t order_ttl_ms;                            // BARO_ORDER_TTL
    int64_t checkout_ttl_ms;                         // BARO_CHECKOUT_TTL
    int64_t open_orders_max;                         // BARO_OPEN_ORDERS; 0: any number
    int64_t expiry_period_ms;                        // BARO_EXPIRY_PERIOD
    int64_t saga_lease_ms;                           // BARO_SAGA_LEASE
    int64_t saga_retry_ms;                           // BARO_SAGA_RETRY
    int64_t saga_held_after_ms;                      // BARO_SAGA_HELD_AFTER
    int64_t saga_decide_after_ms;                    // BARO_SAGA_DECIDE_AFTER
    int64_t saga_park_after;                         // BARO_SAGA_PARK_AFTER
    int64_t law_period_ms;                           // BARO_LAW_PERIOD; 0: only who asks
    struct kafka_settings kafka;                     // BARO_KAFKA_..
    struct webhook_settings webhook;                 // BARO_WEBHOOK_..
    struct delivery_rules delivery;                  // BARO_SINK_..
};

struct order_service {
    const struct order_settings *settings;
    struct dispatcher *dispatcher;
    struct publisher *publisher; // of the news; NULL: nobody is told
    struct rpc_client *user, *product, *coupon;
    struct ids *order_ids, *payment_ids, *saga_ids;
    struct id_pool *pool; // order ids for PlaceOrder's `prepare`
    struct sagas *sagas;
    struct invariants *invariants;
    struct outbox_reader *events; // of FetchEvents
    struct sinks *sinks;
    struct counters counters;
};

extern const struct method_table order_methods;

// Fills in the jobs with the periods of the settings.
enum { ORDER_JOB_COUNT = 7 };
void order_jobs_init(const struct order_settings *settings, struct job jobs[ORDER_JOB_COUNT]);

// Makes everything that `service` needs but its settings. `dispatcher` has the methods; nothing runs
// yet.
struct status order_service_start(struct order_service *service, struct dispatcher *dispatcher,
                                  struct publisher *publisher);

// Between the two, what is asked of product and coupon waits and leaves together.
void order_service_cork(void *service);
void order_service_uncork(void *service);

// Ends the deliveries to sinks, and lets no saga begin or go on here. Handlers may still run. Accepts a
// service that did not start.
void order_service_stop(void *service);

// When no handler runs any more: gives the leases back and ends everything in reverse.
void order_service_destroy(void *service);

// place.c
void prepare_place_order(struct call *call);
void prepare_checkout(struct call *call);
struct status handle_place_order(struct batch *batch);
struct status handle_checkout(struct batch *batch);
void place_committed(struct batch *batch);
void place_abandoned(struct call *call);
struct status handle_reserve_ids(struct batch *batch);
void reserve_ids_committed(struct batch *batch);

// pay.c
struct status handle_pay_order(struct batch *batch);
void launch_committed(struct batch *batch);

// cancel.c
struct status handle_cancel_order(struct batch *batch);

// saga_record.c
struct status handle_end_saga(struct batch *batch);
void end_saga_committed(struct batch *batch);
struct status handle_record_saga(struct batch *batch);

// read.c
struct status handle_get_order(struct batch *batch);
struct status handle_list_orders(struct batch *batch);
struct status handle_list_payments(struct batch *batch);
struct status handle_get_payment(struct batch *batch);
struct status handle_list_sagas(struct batch *batch);
struct status handle_get_saga(struct batch *batch);
struct status handle_find_live_orders(struct batch *batch);
struct status handle_fetch_events(struct batch *batch);

// follow.c
struct status handle_list_order_events(struct batch *batch);

// admin.c
struct status handle_set_order_status(struct batch *batch);
struct status handle_retry_saga(struct batch *batch);
void retry_saga_committed(struct batch *batch);

// dead_letters.c
struct status handle_list_dead_letters(struct batch *batch);
struct status handle_replay_dead_letter(struct batch *batch);

// cart.c
void prepare_cart(struct call *call);
struct status handle_get_cart(struct batch *batch);
struct status handle_add_cart_item(struct batch *batch);
struct status handle_set_cart_item(struct batch *batch);
struct status handle_remove_cart_item(struct batch *batch);
struct status handle_find_cart_items(struct batch *batch);

// jobs.c
struct status expire_orders(void *service, struct db *db, struct arena *arena);
struct status prune_outbox(void *service, struct db *db, struct arena *arena);
