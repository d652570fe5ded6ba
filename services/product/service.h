#pragma once
// What the files of the product service share: its context, its tables, and its handlers by noun.

#include "lib/bus/consumer.h"
#include "lib/bus/doorbell.h"
#include "lib/service/live_orders.h"
#include "lib/service/service.h"

struct product_settings {
    struct service_settings common; // first: lib/service fills it in
    const char *order_rpc;          // BARO_ORDER_RPC
    const char *order_bus;          // BARO_ORDER_BUS
    int64_t sweep_period_ms;        // BARO_SWEEP_PERIOD
};

struct product_service {
    const struct product_settings *settings;
    struct rpc_client *order;
    struct live_orders orders;    // asked before a hold is released
    struct event_feed feed;       // of the order service, whose payments are counted
    struct doorbell *doorbell;    // rings when it has some
    struct consumer popularity;   // counts them
    struct job_runner *consuming; // on a thread of its own
};

extern const struct method_table product_methods;

// Makes everything that `service` needs but its settings, and counts what is paid.
struct status product_service_start(void *service, struct service_runtime *runtime);

// Ends what of it runs by itself and the client; handlers may still run. Accepts a service that did not
// start.
void product_service_stop(void *service);

enum { PRODUCT_JOB_COUNT = 6 };

// Fills in the jobs with the periods of the settings.
void product_jobs_init(const struct product_settings *settings, struct job jobs[PRODUCT_JOB_COUNT]);

// jobs.c: stores the ranking of the last midnight, once.
struct status take_popular_snapshot(void *service, struct db *db, struct arena *arena);

// jobs.c: forgets what sold longer ago than any window reaches.
struct status prune_sales(void *service, struct db *db, struct arena *arena);

// products.c
struct status handle_list_products(struct batch *batch);
struct status handle_get_product(struct batch *batch);
struct status handle_create_product(struct batch *batch);
struct status handle_update_product(struct batch *batch);
struct status handle_delete_product(struct batch *batch);
struct status handle_add_option(struct batch *batch);
struct status handle_update_option(struct batch *batch);
struct status handle_replace_images(struct batch *batch);

// rankings.c
struct status handle_list_popular(struct batch *batch);

// events.c: counts what the order service's events say was sold; the `apply` of a consumer.
struct status count_sales(void *service, struct db *db, struct arena *arena,
                          Baro__Event *const *events, size_t count);

// stocks.c
struct status handle_change_stock(struct batch *batch);
struct status handle_describe_options(struct batch *batch);
struct status handle_hold_stock(struct batch *batch);
struct status handle_confirm_stock(struct batch *batch);
struct status handle_release_stock(struct batch *batch);
struct status handle_return_stock(struct batch *batch);
void count_holds(struct batch *batch);
