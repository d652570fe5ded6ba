// What the product service offers and to whom, and how its parts are put together.

#include "services/product/service.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/jobs.h"
#include "lib/service/laws.h"
#include "proto/product.pb-c.h"
#include "services/product/laws.h"

static struct status handle_check_law(struct batch *batch)
{
    return check_law_handle(batch, &product_laws);
}

static struct status handle_list_order_facts(struct batch *batch)
{
    return list_order_facts_handle(batch, &product_laws);
}

// clang-format off
static const struct method METHODS[] = {
    {"ListProducts",    METHOD_READ,  ACCESS_ANYBODY, handle_list_products,    .batch_max = 16},
    {"GetProduct",      METHOD_READ,  ACCESS_ANYBODY, handle_get_product,      .batch_max = 64},
    {"ListPopular",     METHOD_READ,  ACCESS_ANYBODY, handle_list_popular,     .batch_max = 64},
    {"CreateProduct",   METHOD_WRITE, ACCESS_ADMIN,   handle_create_product,   .guard = &idempotency_guard},
    // They lock rows one after the other: in a batch, in any order.
    {"UpdateProduct",   METHOD_WRITE, ACCESS_ADMIN,   handle_update_product,   .guard = &idempotency_guard, .batch_max = 1},
    {"DeleteProduct",   METHOD_WRITE, ACCESS_ADMIN,   handle_delete_product,   .guard = &idempotency_guard, .batch_max = 1},
    {"AddOption",       METHOD_WRITE, ACCESS_ADMIN,   handle_add_option,       .guard = &idempotency_guard, .batch_max = 1},
    {"UpdateOption",    METHOD_WRITE, ACCESS_ADMIN,   handle_update_option,    .guard = &idempotency_guard, .batch_max = 1},
    {"ReplaceImages",   METHOD_WRITE, ACCESS_ADMIN,   handle_replace_images,   .guard = &idempotency_guard, .batch_max = 1},
    {"ChangeStock",     METHOD_WRITE, ACCESS_ADMIN,   handle_change_stock,     .guard = &idempotency_guard, .batch_max = 1},
    {"DescribeOptions", METHOD_READ,  ACCESS_SERVICE, handle_describe_options},
    // Idempotent by order id: it needs no guard.
    {"HoldStock",       METHOD_WRITE, ACCESS_SERVICE, handle_hold_stock,       .committed = count_holds},
    {"ConfirmStock",    METHOD_WRITE, ACCESS_SERVICE, handle_confirm_stock,    .guard = &barrier_guard},
    {"ReleaseStock",    METHOD_WRITE, ACCESS_SERVICE, handle_release_stock,    .guard = &barrier_guard},
    {"ReturnStock",     METHOD_WRITE, ACCESS_SERVICE, handle_return_stock,     .guard = &barrier_guard},
    {"CheckLaw",        METHOD_READ,  ACCESS_SERVICE, handle_check_law,        .batch_max = 1},
    {"ListOrderFacts",  METHOD_READ,  ACCESS_SERVICE, handle_list_order_facts, .batch_max = 1},
};
// clang-format on

const struct method_table product_methods = {
    .service = &baro__product__product__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};

// What is paid is popular within 2 s (SPEC 6), also when the doorbell was not heard and the gateway
// remembers for a second. On a thread of its own: a slow sweep must not delay it.
enum { LISTEN_PERIOD_MS = 100, ECHO_MS = 1000, SLOW_MS = 900, LOTS_MAX = 1000 };

static struct status consume(void *context, struct db *db, struct arena *arena)
{
    struct product_service *service = context;
    if (!doorbell_is_due(service->doorbell, clock_monotonic_us()))
        return OK;
    return consumer_run(&service->popularity, db, arena, LOTS_MAX);
}

static const struct job CONSUME = {"count_sales", LISTEN_PERIOD_MS, consume, .apart = true};

static struct status listen_to_orders(struct product_service *service)
{
    static const char *const kinds[] = {"order.paid", "order.refunded"};
    return doorbell_open(&(struct doorbell_options){.addresses = service->settings->order_bus,
                                                    .secret = service->settings->common.secret,
                                                    .topic = "order.events",
                                                    .kinds = kinds,
                                                    .kind_count = COUNT(kinds),
                                                    .echo_ms = ECHO_MS,
                                                    .slow_ms = SLOW_MS},
                         &service->doorbell);
}

static void start_consuming(struct product_service *service)
{
    service->feed = (struct event_feed){service->order, "baro.order.Order/FetchEvents"};
    service->popularity = (struct consumer){
        .name = "popularity",
        .source = event_source_of(&service->feed),
        .apply = count_sales,
        .context = service,
    };
    service->consuming =
        job_runner_start(&CONSUME, 1, service, service->settings->common.database_url, NULL);
}

struct status product_service_start(void *context, struct service_runtime *runtime)
{
    struct product_service *service = context;
    (void)runtime;
    service->order = rpc_client_create(&(struct rpc_client_options){
        .service = "order",
        .addresses = service->settings->order_rpc,
        .secret = service->settings->common.secret,
    });
    service->orders = live_orders_of(service->order);
    struct status st = listen_to_orders(service);
    if (!failed(st))
        start_consuming(service);
    return st;
}

void product_service_stop(void *context)
{
    struct product_service *service = context;
    job_runner_stop(service->consuming);
    doorbell_close(service->doorbell);
    rpc_client_destroy(service->order);
    service->order = NULL;
}
