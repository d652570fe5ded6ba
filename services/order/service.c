// What the order service offers, and how its parts are put together.

#include "services/order/service.h"

#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/bus/outbox.h"
#include "lib/service/access.h"
#include "proto/order.pb-c.h"
#include "services/order/invariants.h"
#include "services/order/news.h"
#include "services/order/sinks.h"

#include <string.h>

// clang-format off
static const struct access_rule RULES[] = {
    {"GetCart",          ACCESS_USER,    get_cart_handle},
    {"AddCartItem",      ACCESS_USER,    add_cart_item_handle},
    {"SetCartItem",      ACCESS_USER,    set_cart_item_handle},
    {"RemoveCartItem",   ACCESS_USER,    remove_cart_item_handle},
    {"PlaceOrder",       ACCESS_USER,    place_handle},
    {"Checkout",         ACCESS_USER,    checkout_handle},
    {"PayOrder",         ACCESS_USER,    pay_handle},
    {"CancelOrder",      ACCESS_USER,    cancel_handle},
    {"GetOrder",         ACCESS_USER,    get_order_handle},
    {"ListOrderEvents",  ACCESS_USER,    list_order_events_handle},
    {"ListOrders",       ACCESS_USER,    list_orders_handle},
    {"ListPayments",     ACCESS_USER,    list_payments_handle},
    {"GetPayment",       ACCESS_USER,    get_payment_handle},
    {"SetOrderStatus",   ACCESS_ADMIN,   set_order_status_handle},
    {"ListSagas",        ACCESS_ADMIN,   list_sagas_handle},
    {"GetSaga",          ACCESS_ADMIN,   get_saga_handle},
    {"RetrySaga",        ACCESS_ADMIN,   retry_saga_handle},
    {"ListDeadLetters",  ACCESS_ADMIN,   list_dead_letters_handle},
    {"ReplayDeadLetter", ACCESS_ADMIN,   replay_dead_letter_handle},
    {"GetInvariants",    ACCESS_ADMIN,  get_invariants_handle},
    {"FindLiveOrders",   ACCESS_SERVICE, find_live_orders_handle},
    {"FetchEvents",      ACCESS_SERVICE, fetch_events_handle},
    {"EndSaga",          ACCESS_SERVICE, end_saga_handle},
    {"RecordSaga",       ACCESS_SERVICE, record_saga_handle},
    {"ReadOrder",        ACCESS_SERVICE, get_order_handle},
    {"FindCartItems",    ACCESS_SERVICE, find_cart_items_handle},
    {"ReserveIds",       ACCESS_SERVICE, reserve_ids_handle},
};
// clang-format on

static struct status handle(struct batch *batch)
{
    return access_handle(batch, RULES, COUNT(RULES));
}

// How long a caller may wait for the end of a saga.
enum { SAGA_WAIT_MS = 30000 };

// clang-format off
static const struct method METHODS[] = {
    {"GetCart",          METHOD_READ, .handle = handle, .prepare = cart_prepare},
    {"AddCartItem",      METHOD_WRITE,.handle = handle, .guard = &idempotency_guard, .prepare = cart_prepare},
    {"SetCartItem",      METHOD_WRITE,.handle = handle, .prepare = cart_prepare},
    {"RemoveCartItem",   METHOD_WRITE,.handle = handle},
    {"PlaceOrder",       METHOD_WRITE,.handle = handle, .guard = &idempotency_guard, .prepare = place_prepare, .committed = place_committed, .abandoned = place_abandoned},
    {"Checkout",         METHOD_WRITE,.handle = handle, .guard = &idempotency_guard, .prepare = checkout_prepare, .committed = place_committed, .abandoned = place_abandoned, .timeout_ms = SAGA_WAIT_MS},
    {"PayOrder",         METHOD_WRITE,.handle = handle, .guard = &idempotency_guard, .committed = launch_committed, .timeout_ms = SAGA_WAIT_MS},
    {"CancelOrder",      METHOD_WRITE,.handle = handle, .guard = &idempotency_guard, .committed = launch_committed},
    {"GetOrder",         METHOD_READ, .handle = handle},
    {"ListOrderEvents",  METHOD_READ, .handle = handle},
    {"ListOrders",       METHOD_READ, .handle = handle},
    {"ListPayments",     METHOD_READ, .handle = handle},
    {"GetPayment",       METHOD_READ, .handle = handle},
    {"SetOrderStatus",   METHOD_WRITE,.handle = handle, .guard = &idempotency_guard, .committed = news_committed},
    {"ListSagas",        METHOD_READ, .handle = handle},
    {"GetSaga",          METHOD_READ, .handle = handle},
    {"RetrySaga",        METHOD_WRITE,.handle = handle, .committed = retry_saga_committed},
    {"ListDeadLetters",  METHOD_READ, .handle = handle},
    {"ReplayDeadLetter", METHOD_WRITE,.handle = handle},
    {"GetInvariants",    METHOD_READ, .handle = handle, .prepare = get_invariants_prepare},
    {"FindLiveOrders",   METHOD_READ, .handle = handle},
    {"FetchEvents",      METHOD_READ, .handle = handle},
    {"EndSaga",          METHOD_WRITE,.handle = handle, .committed = end_saga_committed},
    {"RecordSaga",       METHOD_WRITE,.handle = handle, .committed = news_committed},
    {"ReadOrder",        METHOD_READ, .handle = handle},
    {"FindCartItems",    METHOD_READ, .handle = handle},
    {"ReserveIds",       METHOD_READ, .handle = handle, .committed = reserve_ids_committed},
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
            .runner =
                {
                         .retry_first_ms = settings->saga_retry_ms,
                         .held_after_ms = settings->saga_held_after_ms,
                         .decide_after_ms = settings->saga_decide_after_ms,
                         .park_after_attempts = (int)settings->saga_park_after,
                         }
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

void order_service_stop(struct order_service *service)
{
    invariants_stop(service->invariants);
    service->invariants = NULL;
    sinks_stop(service->sinks);
    service->sinks = NULL;
    sagas_stop(service->sagas);
}

void order_service_hold(struct order_service *service)
{
    rpc_client_hold(service->product);
    rpc_client_hold(service->coupon);
}

void order_service_release(struct order_service *service)
{
    rpc_client_release(service->product);
    rpc_client_release(service->coupon);
}

void order_service_destroy(struct order_service *service)
{
    give_leases_back(service);
    sagas_destroy(service->sagas);
    rpc_client_destroy(service->user);
    rpc_client_destroy(service->product);
    rpc_client_destroy(service->coupon);
    id_pool_destroy(service->pool);
    outbox_reader_destroy(service->events);
    ids_destroy(service->order_ids);
    ids_destroy(service->payment_ids);
    ids_destroy(service->saga_ids);
}
