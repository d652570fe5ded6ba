// What the order service offers and to whom, and how its parts are put together.

#include "services/order/service.h"

#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/bus/outbox.h"
#include "proto/order.pb-c.h"
#include "services/order/invariants.h"
#include "services/order/news.h"
#include "services/order/sinks.h"

#include <string.h>

// How long a caller may wait for the end of a saga.
enum { SAGA_WAIT_MS = 30000 };

// clang-format off
static const struct method METHODS[] = {
    {"GetCart",          METHOD_READ,  ACCESS_USER,    handle_get_cart,         .prepare = prepare_cart},
    {"AddCartItem",      METHOD_WRITE, ACCESS_USER,    handle_add_cart_item,    .guard = &idempotency_guard, .prepare = prepare_cart},
    {"SetCartItem",      METHOD_WRITE, ACCESS_USER,    handle_set_cart_item,    .prepare = prepare_cart},
    {"RemoveCartItem",   METHOD_WRITE, ACCESS_USER,    handle_remove_cart_item},
    {"PlaceOrder",       METHOD_WRITE, ACCESS_USER,    handle_place_order,      .guard = &idempotency_guard, .prepare = prepare_place_order, .committed = place_committed, .abandoned = place_abandoned},
    {"Checkout",         METHOD_WRITE, ACCESS_USER,    handle_checkout,         .guard = &idempotency_guard, .prepare = prepare_checkout, .committed = place_committed, .abandoned = place_abandoned, .timeout_ms = SAGA_WAIT_MS},
    {"PayOrder",         METHOD_WRITE, ACCESS_USER,    handle_pay_order,        .guard = &idempotency_guard, .committed = launch_committed, .timeout_ms = SAGA_WAIT_MS},
    {"CancelOrder",      METHOD_WRITE, ACCESS_USER,    handle_cancel_order,     .guard = &idempotency_guard, .committed = launch_committed},
    {"GetOrder",         METHOD_READ,  ACCESS_USER,    handle_get_order},
    {"ListOrderEvents",  METHOD_READ,  ACCESS_USER,    handle_list_order_events},
    {"ListOrders",       METHOD_READ,  ACCESS_USER,    handle_list_orders},
    {"ListPayments",     METHOD_READ,  ACCESS_USER,    handle_list_payments},
    {"GetPayment",       METHOD_READ,  ACCESS_USER,    handle_get_payment},
    {"SetOrderStatus",   METHOD_WRITE, ACCESS_ADMIN,   handle_set_order_status, .guard = &idempotency_guard, .committed = news_committed},
    {"ListSagas",        METHOD_READ,  ACCESS_ADMIN,   handle_list_sagas},
    {"GetSaga",          METHOD_READ,  ACCESS_ADMIN,   handle_get_saga},
    {"RetrySaga",        METHOD_WRITE, ACCESS_ADMIN,   handle_retry_saga,       .guard = &idempotency_guard, .committed = retry_saga_committed, .batch_max = 1},
    {"ListDeadLetters",  METHOD_READ,  ACCESS_ADMIN,   handle_list_dead_letters},
    {"ReplayDeadLetter", METHOD_WRITE, ACCESS_ADMIN,   handle_replay_dead_letter, .guard = &idempotency_guard, .batch_max = 1},
    {"GetInvariants",    METHOD_READ,  ACCESS_ADMIN,   handle_get_invariants,   .prepare = prepare_get_invariants},
    {"FindLiveOrders",   METHOD_READ,  ACCESS_SERVICE, handle_find_live_orders},
    {"FetchEvents",      METHOD_READ,  ACCESS_SERVICE, handle_fetch_events},
    {"EndSaga",          METHOD_WRITE, ACCESS_SERVICE, handle_end_saga,         .committed = end_saga_committed},
    {"RecordSaga",       METHOD_WRITE, ACCESS_SERVICE, handle_record_saga,      .committed = news_committed},
    {"ReadOrder",        METHOD_READ,  ACCESS_SERVICE, handle_get_order},
    {"FindCartItems",    METHOD_READ,  ACCESS_SERVICE, handle_find_cart_items},
    {"ReserveIds",       METHOD_READ,  ACCESS_SERVICE, handle_reserve_ids,      .committed = reserve_ids_committed},
};
// clang-format on

const struct method_table order_methods = {
    .service = &baro__order__order__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};

static void ids_reserved(void *arg, const struct call *call)
{
    struct order_service *service = arg;
    if (!failed(call->status))
        return;
    log_warn("no order ids", log_status(call->status));
    id_pool_refill_failed(service->pool);
}

static void reserve_ids(void *arg)
{
    struct order_service *service = arg;
    Baro__Empty request;
    baro__empty__init(&request);
    dispatcher_run(service->dispatcher, "baro.order.Order/ReserveIds", &request.base, NULL, 0,
                   ids_reserved, service);
}

static struct rpc_client *connect_to(const struct order_settings *settings, const char *service,
                                     const char *addresses)
{
    return rpc_client_create(&(struct rpc_client_options){
        .service = service, .addresses = addresses, .secret = settings->common.secret});
}

struct status order_service_start(struct order_service *service, struct dispatcher *dispatcher,
                                  struct publisher *publisher)
{
    const struct order_settings *settings = service->settings;
    service->dispatcher = dispatcher;
    service->publisher = publisher;
    counters_init(&service->counters);
    service->order_ids = ids_create("order_sequence");
    service->payment_ids = ids_create("payment_sequence");
    service->saga_ids = ids_create("saga_sequence");
    service->pool = id_pool_create(reserve_ids, service);
    service->events = outbox_reader_create();
    service->user = connect_to(settings, "user", settings->user_rpc);
    service->product = connect_to(settings, "product", settings->product_rpc);
    service->coupon = connect_to(settings, "coupon", settings->coupon_rpc);
    const struct saga_runner_options runner = {
        .retry_first_ms = settings->saga_retry_ms,
        .held_after_ms = settings->saga_held_after_ms,
        .decide_after_ms = settings->saga_decide_after_ms,
        .park_after_attempts = (int)settings->saga_park_after,
    };
    struct status st = sagas_start(
        &(struct sagas_options){
            .dispatcher = dispatcher,
            .publisher = publisher,
            .secret = settings->common.secret,
            .instance = settings->common.instance,
            .user = service->user,
            .product = service->product,
            .coupon = service->coupon,
            .user_bus = settings->user_bus,
            .product_bus = settings->product_bus,
            .coupon_bus = settings->coupon_bus,
            .lease_ms = settings->saga_lease_ms,
            .runner = runner,
        },
        &service->sagas);
    if (!failed(st))
        st = sinks_start(settings, sagas_owner(service->sagas), &service->sinks);
    if (!failed(st))
        service->invariants = invariants_start(
            &(struct invariants_options){.database_url = settings->common.database_url,
                                         .user = service->user,
                                         .product = service->product,
                                         .coupon = service->coupon,
                                         .period_ms = settings->law_period_ms});
    return st;
}

static void give_leases_back(struct order_service *service)
{
    if (!service->sagas)
        return;
    SCOPED(db) *db = db_create(service->settings->common.database_url, "leases");
    struct status st = sagas_release(service->sagas, db);
    if (failed(st))
        log_warn("saga leases not given back: they run out by themselves", log_status(st));
}

void order_service_stop(void *context)
{
    struct order_service *service = context;
    invariants_stop(service->invariants);
    service->invariants = NULL;
    sinks_stop(service->sinks);
    service->sinks = NULL;
    sagas_stop(service->sagas);
}

void order_service_cork(void *context)
{
    struct order_service *service = context;
    rpc_client_cork(service->product);
    rpc_client_cork(service->coupon);
}

void order_service_uncork(void *context)
{
    struct order_service *service = context;
    rpc_client_uncork(service->product);
    rpc_client_uncork(service->coupon);
}

void order_service_destroy(void *context)
{
    struct order_service *service = context;
    give_leases_back(service);
    sagas_destroy(service->sagas);
    rpc_client_destroy(service->user);
    rpc_client_destroy(service->coupon); // first: a reservation that fails gives its stock back
    rpc_client_destroy(service->product);
    id_pool_destroy(service->pool);
    outbox_reader_destroy(service->events);
    ids_destroy(service->order_ids);
    ids_destroy(service->payment_ids);
    ids_destroy(service->saga_ids);
}
