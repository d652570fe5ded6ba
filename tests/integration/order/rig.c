// What main.c starts, but for the settings and the server.

#include "tests/integration/order/rig.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/db/schema.h"
#include "lib/service/transaction.h"
#include "tests/support/database.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TIMEOUT_MS = 20000, WAIT_S = 30, DRAIN_MS = 10000, AWAIT_MS = 10000 };

extern const struct migration bus_migrations[], saga_migrations[], order_migrations[];
extern const size_t bus_migration_count, saga_migration_count, order_migration_count;

static void must(struct status st)
{
    cr_assert(!failed(st), "%s %s", reason_word(st.reason), st.message ? st.message : "");
}

static void respond(struct responder *responder, struct call *call, const Baro__RpcReply *reply)
{
    (void)responder;
    struct asked *asked = call_token(call);
    asked->code = (enum status_code)reply->code;
    asked->reason = reply->reason[0] ? reason_parse(reply->reason) : REASON_NONE;
    asked->field = text_copy(asked->arena, reply->field);
    asked->message = text_copy(asked->arena, reply->message);
    if (asked->code == STATUS_OK)
        asked->reply = protobuf_unpack(asked->method->output, reply->payload.len,
                                       reply->payload.data, asked->arena);
    sem_post(&asked->answered);
}

static void flush(struct responder *responder)
{
    (void)responder;
}

static struct rig *make(const char *url, const char *instance, struct publisher *publisher,
                        struct shop *shop)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    cr_assert_not_null(rig);
    rig->publisher = publisher;
    rig->shop = shop;
    rig->responder = (struct responder){respond, flush};
    rig->jobs = db_create(url, "jobs");
    rig->settings = (struct order_settings){
        .common = {.database_url = url, .secret = SHOP_SECRET, .instance = instance},
        .user_rpc = shop_rpc(shop, "user"),
        .product_rpc = shop_rpc(shop, "product"),
        .coupon_rpc = shop_rpc(shop, "coupon"),
        .user_bus = shop_bus(shop, "user"),
        .product_bus = shop_bus(shop, "product"),
        .coupon_bus = shop_bus(shop, "coupon"),
        .order_ttl_ms = 600000,
        .checkout_ttl_ms = 30000,
        .saga_lease_ms = 10000,
        .saga_retry_ms = 20,
        .saga_held_after_ms = 150,
        .saga_decide_after_ms = 600,
    };
    rig->service.settings = &rig->settings;
    rig->dispatcher = dispatcher_create(&(struct dispatcher_options){
        .transaction = &postgres_transaction,
        .transaction_context = (void *)(uintptr_t)url,
        .service = &rig->service,
    });
    must(dispatcher_add(rig->dispatcher, &order_methods));
    must(order_service_start(&rig->service, rig->dispatcher, publisher));
    dispatcher_start(rig->dispatcher);
    return rig;
}

// The clock of the database is put ahead by what a table says.
static const char CLOCK[] =
    "CREATE TABLE test_clock (ahead interval NOT NULL);"
    "INSERT INTO test_clock VALUES ('0');"
    "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE"
    " AS 'SELECT clock_timestamp() + (SELECT ahead FROM test_clock)'";

struct rig *rig_open(void)
{
    log_init("order", LOG_LEVEL_ERROR);
    const char *url = test_database("order");
    SCOPED(db) *db = db_create(url, "rig");
    must(schema_prepare(db));
    must(migrate(db, bus_migrations, bus_migration_count));
    must(migrate(db, saga_migrations, saga_migration_count));
    must(migrate(db, order_migrations, order_migration_count));
    test_script(db, CLOCK);
    struct publisher *publisher;
    must(publisher_start("tcp://127.0.0.1:0", SHOP_SECRET, &publisher));
    SCOPED(arena) *arena = arena_create();
    struct shop *shop =
        shop_open(text_printf(arena, "tcp://127.0.0.1:%d", publisher_port(publisher)));
    struct rig *rig = make(url, "order-0", publisher, shop);
    rig->owns_shop = true;
    return rig;
}

struct rig *rig_open_replica(struct rig *first, const char *instance)
{
    return make(first->settings.common.database_url, instance, first->publisher, first->shop);
}

static void stop(struct rig *rig)
{
    dispatcher_destroy(rig->dispatcher);
    db_destroy(rig->jobs);
    if (rig->owns_shop) {
        shop_close(rig->shop);
        publisher_destroy(rig->publisher);
    }
    free(rig);
}

void rig_close(struct rig *rig)
{
    dispatcher_drain(rig->dispatcher, DRAIN_MS);
    order_service_stop(&rig->service);
    stop(rig);
}

// The runner goes; leases and rows stay as they are.
void rig_kill(struct rig *rig)
{
    sagas_destroy(rig->service.sagas);
    rig->service.sagas = NULL;
    order_service_stop(&rig->service);
    dispatcher_drain(rig->dispatcher, 1000);
    dispatcher_destroy(rig->dispatcher);
    db_destroy(rig->jobs);
    rig->dispatcher = NULL;
}

int64_t rig_number(const struct rig *rig, const char *format, ...)
{
    char sql[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    return test_number(rig->settings.common.database_url, sql);
}

void rig_pass_time(struct rig *rig, int64_t ms)
{
    SCOPED(db) *db = db_create(rig->settings.common.database_url, "clock");
    char sql[128];
    snprintf(sql, sizeof(sql), "UPDATE test_clock SET ahead = ahead + interval '%lld milliseconds'",
             (long long)ms);
    test_script(db, sql);
}

void rig_expire(struct rig *rig)
{
    must(expire_orders(&rig->service, rig->jobs));
}

void rig_keep(struct rig *rig)
{
    must(sagas_keep(rig->service.sagas, rig->jobs));
}

struct asked *rig_start(struct rig *rig, const char *method, struct as as,
                        const ProtobufCMessage *request)
{
    struct arena *arena = arena_create();
    struct asked *asked = arena_alloc(arena, sizeof(*asked));
    asked->arena = arena;
    asked->method =
        protobuf_c_service_descriptor_get_method_by_name(&baro__order__order__descriptor, method);
    cr_assert_not_null(asked->method, "no method %s", method);
    sem_init(&asked->answered, 0, 0);
    Baro__RpcRequest envelope;
    baro__rpc_request__init(&envelope);
    envelope.method = text_printf(arena, "baro.order.Order/%s", method);
    envelope.timeout_ms = TIMEOUT_MS;
    envelope.user_id = as.user_id;
    envelope.role = as.role;
    envelope.idempotency_key = text_copy(arena, as.key);
    envelope.payload.data = protobuf_pack(request, arena, &envelope.payload.len);
    dispatcher_submit(rig->dispatcher, &envelope, &rig->responder, asked);
    return asked;
}

const struct asked *rig_await(struct asked *asked)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    cr_assert_eq(sem_timedwait(&asked->answered, &until), 0, "no answer to %s",
                 asked->method->name);
    return asked;
}

const struct asked *rig_call(struct rig *rig, const char *method, struct as as,
                             const ProtobufCMessage *request)
{
    return rig_await(rig_start(rig, method, as, request));
}

void expect_refused(const struct asked *asked, enum reason reason)
{
    cr_assert_eq(asked->reason, reason, "%s: %s instead of %s (%s)", asked->method->name,
                 reason_word(asked->reason), reason_word(reason), asked->message);
}

void expect_field(const struct asked *asked, const char *field)
{
    expect_refused(asked, REASON_VALIDATION_ERROR);
    cr_assert_str_eq(asked->field, field);
}

const void *expect_done(const struct asked *asked)
{
    cr_assert_eq(asked->code, STATUS_OK, "%s: %s %s", asked->method->name,
                 reason_word(asked->reason), asked->message);
    return asked->reply;
}

const Baro__Order__OrderView *expect_order(const struct asked *asked,
                                           Baro__Order__OrderStatus status)
{
    const Baro__Order__OrderView *order = expect_done(asked);
    cr_assert_eq(order->status, status, "order is %s",
                 order_status_name((enum order_status)order->status));
    return order;
}

const struct asked *place(struct rig *rig, struct as as, int64_t option_id, int64_t quantity,
                          int64_t user_coupon_id)
{
    Baro__Order__PlaceOrderRequest request;
    Baro__Order__OrderLine line, *lines[] = {&line};
    Baro__Int64 coupon;
    baro__order__place_order_request__init(&request);
    baro__order__order_line__init(&line);
    baro__int64__init(&coupon);
    line.option_id = option_id;
    line.quantity = quantity;
    coupon.value = user_coupon_id;
    request.items = lines;
    request.n_items = 1;
    request.user_coupon_id = user_coupon_id ? &coupon : NULL;
    return rig_call(rig, "PlaceOrder", as, &request.base);
}

int64_t given_order(struct rig *rig, int64_t user_id)
{
    return expect_order(place(rig, USER(user_id), 1, 2, 0),
                        BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PENDING)
        ->id;
}

struct asked *start_pay(struct rig *rig, struct as as, int64_t order_id, int64_t user_coupon_id,
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
    return rig_start(rig, "PayOrder", as, &request.base);
}

const struct asked *pay(struct rig *rig, struct as as, int64_t order_id, int64_t user_coupon_id)
{
    return rig_await(start_pay(rig, as, order_id, user_coupon_id, 15000));
}

const struct asked *cancel(struct rig *rig, struct as as, int64_t order_id)
{
    Baro__Order__CancelOrderRequest request;
    baro__order__cancel_order_request__init(&request);
    request.order_id = order_id;
    return rig_call(rig, "CancelOrder", as, &request.base);
}

const struct asked *get(struct rig *rig, struct as as, int64_t order_id)
{
    Baro__Order__GetOrderRequest request;
    baro__order__get_order_request__init(&request);
    request.order_id = order_id;
    return rig_call(rig, "GetOrder", as, &request.base);
}

static void pause_briefly(void)
{
    struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

const Baro__Order__OrderView *await_status(struct rig *rig, int64_t order_id,
                                           Baro__Order__OrderStatus status)
{
    int64_t until_us = clock_monotonic_us() + AWAIT_MS * US_PER_MS;
    for (;;) {
        const Baro__Order__OrderView *order = expect_done(get(rig, SERVICE, order_id));
        if (order->status == status)
            return order;
        cr_assert(clock_monotonic_us() < until_us, "order is still %s",
                  order_status_name((enum order_status)order->status));
        pause_briefly();
    }
}

void await_number(struct rig *rig, int64_t wanted, const char *sql)
{
    int64_t until_us = clock_monotonic_us() + AWAIT_MS * US_PER_MS, found;
    while ((found = rig_number(rig, "%s", sql)) != wanted) {
        cr_assert(clock_monotonic_us() < until_us, "%s is still %lld", sql, (long long)found);
        pause_briefly();
    }
}
