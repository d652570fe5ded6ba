// What main.c starts, but for the settings and the server.

#include "tests/integration/order/life.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { AWAIT_MS = 10000, LONG_WAIT_MS = 15000 };

static const struct {
    int64_t held_after_ms, decide_after_ms;
} PATIENCE[] = {
    [PATIENT] = {60000, 60000},
    [HOLDS_EARLY] = {500,   60000},
    [GIVES_UP_EARLY] = {500,   2000 },
};

extern const struct migration order_migrations[];
extern const size_t order_migration_count;

static void must(struct status st)
{
    cr_assert(!failed(st), "%s %s", reason_word(st.reason), st.message ? st.message : "");
}

static struct order_settings settings_for(const struct life_place *place, const char *instance)
{
    return (struct order_settings){
        .common = {.database_url = place->url, .secret = SHOP_SECRET, .instance = instance},
        .user_rpc = place->rpc[0],
        .product_rpc = place->rpc[1],
        .coupon_rpc = place->rpc[2],
        .user_bus = place->bus[0],
        .product_bus = place->bus[1],
        .coupon_bus = place->bus[2],
        .order_ttl_ms = 600000,
        .checkout_ttl_ms = 30000,
        .saga_lease_ms = 10000,
        .saga_retry_ms = 20,
        .saga_held_after_ms = PATIENCE[place->patience].held_after_ms,
        .saga_decide_after_ms = PATIENCE[place->patience].decide_after_ms,
        .saga_park_after = 4,
    };
}

static void place_of(const char *url, const struct shop *shop, struct life_place *place)
{
    static const char *const SERVICES[] = {"user", "product", "coupon"};
    snprintf(place->url, sizeof(place->url), "%s", url);
    for (size_t i = 0; i < COUNT(SERVICES); i++) {
        snprintf(place->rpc[i], sizeof(place->rpc[i]), "%s", shop_rpc(shop, SERVICES[i]));
        snprintf(place->bus[i], sizeof(place->bus[i]), "%s", shop_bus(shop, SERVICES[i]));
    }
}

static struct life *make(const struct life_place *place, const char *instance,
                         struct publisher *publisher, struct shop *shop)
{
    struct life *life = calloc(1, sizeof(*life));
    cr_assert_not_null(life);
    life->publisher = publisher;
    life->shop = shop;
    life->place = *place;
    life->jobs = db_create(life->place.url, "jobs");
    life->settings = settings_for(&life->place, instance);
    life->service.settings = &life->settings;
    life->rig = rig_create(life->place.url, &order_methods, &life->service, (struct rig_size){0});
    must(order_service_start(&life->service, life->rig->dispatcher, publisher));
    return life;
}

struct life *life_begin_being(enum patience patience)
{
    const char *url = rig_database("order", order_migrations, order_migration_count);
    struct publisher *publisher;
    must(publisher_start("tcp://127.0.0.1:0", SHOP_SECRET, &publisher));
    SCOPED(arena) *arena = arena_create();
    struct shop *shop =
        shop_open(text_printf(arena, "tcp://127.0.0.1:%d", publisher_port(publisher)));
    struct life_place place = {.patience = patience};
    place_of(url, shop, &place);
    struct life *life = make(&place, "order-0", publisher, shop);
    life->owns_shop = true;
    return life;
}

struct life *life_begin(void)
{
    return life_begin_being(PATIENT);
}

struct life *life_begin_beside(struct life *first, const char *instance)
{
    struct life *life = make(&first->place, instance, first->publisher, first->shop);
    life->ahead_ms = first->ahead_ms;
    return life;
}

struct life *life_begin_apart(const struct life_place *place, const char *instance)
{
    struct publisher *publisher;
    must(publisher_start("tcp://127.0.0.1:0", SHOP_SECRET, &publisher));
    return make(place, instance, publisher, NULL);
}

static void end_life(struct life *life)
{
    dispatcher_stop(life->rig->dispatcher);
    order_service_destroy(&life->service);
    rig_destroy(life->rig);
    db_destroy(life->jobs);
    life->rig = NULL;
}

void life_end(struct life *life)
{
    if (life->rig) {
        rig_drain(life->rig);
        order_service_stop(&life->service);
        end_life(life);
    }
    if (life->owns_shop) {
        shop_close(life->shop);
        publisher_destroy(life->publisher);
    }
    free(life);
}

void life_end_stopped(struct life *life)
{
    end_life(life);
    free(life);
}

void life_kill(struct life *life)
{
    sagas_stop(life->service.sagas);
    dispatcher_stop(life->rig->dispatcher);
    sagas_destroy(life->service.sagas);
    life->service.sagas = NULL;
    end_life(life);
}

int64_t life_number(const struct life *life, const char *format, ...)
{
    char sql[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    return test_number(life->settings.common.database_url, sql);
}

void life_pass_time(struct life *life, int64_t ms)
{
    char interval[64];
    life->ahead_ms += ms;
    snprintf(interval, sizeof(interval), "%lld milliseconds", (long long)life->ahead_ms);
    rig_shift_clock(&(struct rig){.url = life->place.url}, interval); // also of one that was killed
}

void life_expire(struct life *life)
{
    SCOPED(arena) *arena = arena_create();
    must(expire_orders(&life->service, life->jobs, arena));
}

void life_keep(struct life *life)
{
    must(sagas_keep(life->service.sagas, life->jobs));
}

const struct asked *ask(struct life *life, const char *method, struct as as,
                        const ProtobufCMessage *request)
{
    return rig_call(life->rig, method, as, request);
}

const Baro__Order__OrderView *expect_order(const struct asked *asked,
                                           Baro__Order__OrderStatus status)
{
    const Baro__Order__OrderView *order = reply_of(asked);
    cr_assert_eq(order->status, status, "the order is %s",
                 order_status_name((enum order_status)order->status));
    return order;
}

Baro__Order__PlaceOrderRequest *order_request(struct arena *arena, int64_t option_id,
                                              int64_t quantity, int64_t user_coupon_id)
{
    Baro__Order__PlaceOrderRequest *request = arena_alloc(arena, sizeof(*request));
    Baro__Order__OrderLine *line = arena_alloc(arena, sizeof(*line));
    Baro__Int64 *coupon = arena_alloc(arena, sizeof(*coupon));
    baro__order__place_order_request__init(request);
    baro__order__order_line__init(line);
    baro__int64__init(coupon);
    line->option_id = option_id;
    line->quantity = quantity;
    coupon->value = user_coupon_id;
    request->items = arena_copy(arena, &line, sizeof(*request->items));
    request->n_items = 1;
    request->user_coupon_id = user_coupon_id ? coupon : NULL;
    request->wait_ms = LONG_WAIT_MS;
    return request;
}

const struct asked *place(struct life *life, struct as as, int64_t option_id, int64_t quantity,
                          int64_t user_coupon_id)
{
    SCOPED(arena) *arena = arena_create();
    return ask(life, "PlaceOrder", as,
               &order_request(arena, option_id, quantity, user_coupon_id)->base);
}

const struct asked *checkout(struct life *life, struct as as, int64_t user_coupon_id)
{
    SCOPED(arena) *arena = arena_create();
    return ask(life, "Checkout", as, &order_request(arena, 1, 2, user_coupon_id)->base);
}

int64_t given_order(struct life *life, int64_t user_id)
{
    return expect_order(place(life, as_user(user_id), 1, 2, 0),
                        BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PENDING)
        ->id;
}

struct asked *start_pay(struct life *life, struct as as, int64_t order_id, int64_t user_coupon_id,
                        int32_t wait_ms)
{
    Baro__Order__PayOrderRequest request;
    Baro__Int64 coupon;
    baro__order__pay_order_request__init(&request);
    baro__int64__init(&coupon);
    coupon.value = user_coupon_id;
    request.order_id = order_id;
    request.user_coupon_id = user_coupon_id ? &coupon : NULL;
    request.wait_ms = wait_ms;
    return rig_start(life->rig, "PayOrder", as, &request.base);
}

const struct asked *pay(struct life *life, struct as as, int64_t order_id, int64_t user_coupon_id)
{
    return rig_await(start_pay(life, as, order_id, user_coupon_id, LONG_WAIT_MS));
}

struct asked *start_cancel(struct life *life, struct as as, int64_t order_id)
{
    Baro__Order__CancelOrderRequest request;
    baro__order__cancel_order_request__init(&request);
    request.order_id = order_id;
    return rig_start(life->rig, "CancelOrder", as, &request.base);
}

const struct asked *cancel(struct life *life, struct as as, int64_t order_id)
{
    return rig_await(start_cancel(life, as, order_id));
}

const struct asked *get(struct life *life, struct as as, int64_t order_id)
{
    Baro__Order__GetOrderRequest request;
    baro__order__get_order_request__init(&request);
    request.order_id = order_id;
    return ask(life, "GetOrder", as, &request.base);
}

static void pause_briefly(void)
{
    struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

const Baro__Order__OrderView *await_status(struct life *life, int64_t order_id,
                                           Baro__Order__OrderStatus status)
{
    int64_t until_us = clock_monotonic_us() + AWAIT_MS * US_PER_MS;
    for (;;) {
        const Baro__Order__OrderView *order = reply_of(get(life, as_admin(), order_id));
        if (order->status == status)
            return order;
        cr_assert(clock_monotonic_us() < until_us, "the order is still %s",
                  order_status_name((enum order_status)order->status));
        pause_briefly();
    }
}

void await_number(struct life *life, int64_t wanted, const char *sql)
{
    int64_t until_us = clock_monotonic_us() + AWAIT_MS * US_PER_MS, found;
    while ((found = life_number(life, "%s", sql)) != wanted) {
        cr_assert(clock_monotonic_us() < until_us, "%s is still %lld", sql, (long long)found);
        pause_briefly();
    }
}
