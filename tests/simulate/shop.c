// The shoppers: clients as the world has them. They come with idempotency keys and come again with the
// same ones until they have a definite answer, or lose patience; they pay twice at once, cancel while
// they pay, let orders expire, send what was answered once more. What they were told is written down:
// laws.c compares it with what the databases say in the end.

#include "tests/simulate/shop.h"

#include "lib/base/arena.h"
#include "lib/base/text.h"
#include "lib/rpc/client.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/user.pb-c.h"
#include "tests/simulate/sql.h"

#include <assert.h>
#include <string.h>

enum {
    CALL_MS = 4000,
    PATIENCE = 12, // tries of those who lose patience
    STOCK = 600,
    LINES_MAX = 3,
    COUPONS_OF_CAMPAIGN = SHOPPERS - 1,
};

struct shopper shoppers[SHOPPERS];
const char *shop_complaint;

static struct rpc_client *clients[KINDS];

// Opening

static void put(struct table *table, const void *version)
{
    struct transaction tx;
    transaction_begin(&tx, &databases[USER]);
    sqlstate state = table_insert(&tx, table, version);
    assert(!state);
    transaction_commit(&tx);
}

static void open_wallets(void)
{
    for (int64_t i = 0; i < SHOPPERS; i++) {
        struct wallet_version wallet = {.user_id = i + 1};
        put(&databases[USER].tables->wallet, &wallet);
    }
}

static void open_stock(void)
{
    struct tables *tables = databases[PRODUCT].tables;
    for (int64_t i = 0; i < OPTIONS; i++) {
        struct option_version option = {
            .id = i + 1,
            .product_id = i / 2 + 1,
            .price = (int64_t)(1 + chance_below(120)) * 100,
            .total = (int64_t)chance_below(chance_once_in(8) ? STOCK / 20 : STOCK) + 1,
            .orderable = true,
        };
        struct movement_version movement = {
            .id = sequence_next(tables, "movement_id", 1),
            .option_id = option.id,
            .delta = option.total,
        };
        put(&tables->option, &option);
        put(&tables->movement, &movement);
    }
}

static void open_campaigns(void)
{
    for (int64_t i = 0; i < CAMPAIGNS; i++) {
        bool percent = chance_once_in(2);
        struct campaign_version campaign = {
            .id = i + 1,
            .type = percent ? "PERCENT" : "FIXED",
            .value = (int64_t)chance_below(100) * 100 + 100,
            .min_order = chance_once_in(3) ? 20000 : 0,
            .total_quantity = COUPONS_OF_CAMPAIGN,
            .starts_at = 0,
            .ends_at = INT64_MAX,
            .valid_days = 1,
        };
        if (!percent)
            campaign.value = (int64_t)(1 + chance_below(20)) * 100000;
        put(&databases[COUPON].tables->campaign, &campaign);
    }
}

static void open_partitions(struct database *database)
{
    for (int64_t i = 0; i < 16; i++) {
        struct partition_version partition = {.partition = i};
        put(&database->tables->partition, &partition);
    }
}

void shop_open(void)
{
    open_wallets();
    open_stock();
    open_campaigns();
    for (size_t i = 0; i < KINDS; i++)
        open_partitions(&databases[i]);
    memset(shoppers, 0, sizeof(shoppers));
    shop_complaint = NULL;
}

// Calls

// One thing that a shopper wants, under one key.
struct wish {
    struct shopper *shopper;
    enum process_kind service;
    const char *method;
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *output;
    const char *key;
    bool patient;
    struct arena *arena;
};

static struct status ask_once(const struct wish *wish, ProtobufCMessage **reply)
{
    struct status st =
        rpc_call_wait(clients[wish->service],
                      &(struct rpc_request){
                          .method = wish->method,
                          .message = wish->request,
                          .caller = {.user_id = wish->shopper->user_id, .role = CALLER_USER},
                          .timeout_ms = CALL_MS,
                          .idempotency_key = wish->key,
                          .idempotent = true,
    },
                      wish->output, wish->arena, reply);
    trace("user %lld %s %s: %s %s", (long long)wish->shopper->user_id, wish->method, wish->key,
          status_code_name(st.code), reason_word(st.reason));
    return st;
}

static bool is_answer(struct status st)
{
    return !failed(st) || status_is_definite(st) || st.code == STATUS_INVALID_ARGUMENT;
}

// Until there is an answer; *known tells whether there was one.
static struct status ask(const struct wish *wish, ProtobufCMessage **reply, bool *known)
{
    struct status st;
    for (int tries = 1;; tries++) {
        st = ask_once(wish, reply);
        *known = is_answer(st);
        if (*known || (!wish->patient && tries == PATIENCE))
            return st;
        fiber_park(world_now_us() + chance_between(20000, 300000 * (tries < 10 ? tries : 10)));
    }
}

static struct wish wish_of(struct shopper *shopper, struct arena *arena, enum process_kind service,
                           const char *method, const ProtobufCMessage *request,
                           const ProtobufCMessageDescriptor *output)
{
    shopper->keys++;
    return (struct wish){
        .shopper = shopper,
        .service = service,
        .method = method,
        .request = request,
        .output = output,
        .key = text_printf(arena, "u%lld-%llu", (long long)shopper->user_id,
                           (unsigned long long)shopper->keys),
        .patient = !chance_once_in(8),
        .arena = arena,
    };
}

static void complain(const char *what)
{
    trace("COMPLAINT: %s", what);
    if (!shop_complaint)
        shop_complaint = what;
}

// Money and coupons

static void charge(struct shopper *shopper, struct arena *arena)
{
    Baro__User__ChargeRequest request = BARO__USER__CHARGE_REQUEST__INIT;
    ProtobufCMessage *reply, *again;
    bool known;
    request.amount = (int64_t)(100 + chance_below(4901)) * 10;
    struct wish wish = wish_of(shopper, arena, USER, "baro.user.User/Charge", &request.base,
                               &baro__user__wallet_change__descriptor);
    struct status st = ask(&wish, &reply, &known);
    shopper->charges += known && !failed(st);
    shopper->charges_unknown += !known;
    if (!known || failed(st) || !chance_once_in(4) || failed(ask_once(&wish, &again)))
        return;
    const Baro__User__WalletChange *first = (const void *)reply, *second = (const void *)again;
    if (first->entry->id != second->entry->id)
        complain("one charge's key gave two entries");
}

static void claim(struct shopper *shopper, struct arena *arena, int64_t campaign)
{
    Baro__Coupon__ClaimRequest request = BARO__COUPON__CLAIM_REQUEST__INIT;
    ProtobufCMessage *reply;
    bool known;
    request.coupon_id = campaign;
    struct wish wish = wish_of(shopper, arena, COUPON, "baro.coupon.Coupon/Claim", &request.base,
                               &baro__coupon__user_coupon__descriptor);
    struct status st = ask(&wish, &reply, &known);
    if (known && !failed(st))
        shopper->coupons[campaign - 1] =
            ((const Baro__Coupon__UserCoupon *)(const void *)reply)->id;
}

// Orders

static void hear_of(struct tale *tale, const Baro__Order__OrderView *view)
{
    if (tale->order_id && tale->order_id != view->id)
        complain("one key gave two orders");
    tale->order_id = view->id;
    if (view->expires_at)
        tale->expires_us =
            view->expires_at->us - database_now_us(&databases[ORDER]) + world_now_us();
    tale->paid |= view->status == BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAID;
    tale->cancelled |= view->status == BARO__ORDER__ORDER_STATUS__ORDER_STATUS_CANCELLED;
    tale->refunded |= view->status == BARO__ORDER__ORDER_STATUS__ORDER_STATUS_REFUNDED;
}

struct errand {
    struct shopper *shopper;
    struct tale *tale;
    int64_t coupon;
    void (*run)(struct errand *errand, struct arena *arena);
};

static void pay(struct errand *errand, struct arena *arena)
{
    Baro__Order__PayOrderRequest request = BARO__ORDER__PAY_ORDER_REQUEST__INIT;
    Baro__Int64 coupon = BARO__INT64__INIT;
    ProtobufCMessage *reply;
    bool known;
    request.order_id = errand->tale->order_id;
    request.wait_ms = (int32_t)chance_below(3000);
    coupon.value = errand->coupon;
    if (coupon.value && chance_once_in(3))
        request.user_coupon_id = &coupon;
    trace("pays %lld us before the end", (long long)(errand->tale->expires_us - world_now_us()));
    struct wish wish = wish_of(errand->shopper, arena, ORDER, "baro.order.Order/PayOrder",
                               &request.base, &baro__order__order_view__descriptor);
    if (!failed(ask(&wish, &reply, &known)))
        hear_of(errand->tale, (const void *)reply);
    if (known && chance_once_in(5) && !failed(ask_once(&wish, &reply)))
        hear_of(errand->tale, (const void *)reply);
}

static void cancel(struct errand *errand, struct arena *arena)
{
    Baro__Order__CancelOrderRequest request = BARO__ORDER__CANCEL_ORDER_REQUEST__INIT;
    ProtobufCMessage *reply;
    bool known;
    request.order_id = errand->tale->order_id;
    struct wish wish = wish_of(errand->shopper, arena, ORDER, "baro.order.Order/CancelOrder",
                               &request.base, &baro__order__order_view__descriptor);
    if (!failed(ask(&wish, &reply, &known)))
        hear_of(errand->tale, (const void *)reply);
}

static void *run_errand(void *arg)
{
    struct errand *errand = arg;
    SCOPED(arena) *arena = arena_create();
    errand->run(errand, arena);
    errand->shopper->busy--;
    return NULL;
}

// Runs beside what the shopper does next.
static void send_off(const struct errand *errand, void (*run)(struct errand *, struct arena *))
{
    struct errand *own = world_copy(errand, sizeof(*errand));
    own->run = run;
    errand->shopper->busy++;
    fiber_start(errand->shopper->process, run_errand, own, false);
}

static void pause_up_to(int64_t ms)
{
    fiber_park(world_now_us() + chance_between(0, ms * 1000));
}

// What becomes of an order that was placed.
static void go_on(struct errand *errand, struct arena *arena)
{
    uint64_t mood = chance_below(100);
    if (mood < 8)
        return; // it expires
    if (mood < 16) {
        cancel(errand, arena);
        return;
    }
    if (mood < 28)
        send_off(errand, pay); // twice at once
    if (mood >= 28 && mood < 38)
        send_off(errand, cancel); // both at once
    if (chance_once_in(4))        // at the last moment
        fiber_park(errand->tale->expires_us -
                   (int64_t)chance_below(chance_once_in(2) ? 4000 : 2000000));
    pay(errand, arena);
    if (errand->tale->paid && chance_once_in(4)) {
        if (chance_once_in(4))
            send_off(errand, cancel);
        cancel(errand, arena);
    }
}

static int64_t pick_coupon(const struct shopper *shopper)
{
    return chance_once_in(2) ? shopper->coupons[chance_below(CAMPAIGNS)] : 0;
}

static void choose_lines(Baro__Order__PlaceOrderRequest *request, struct arena *arena)
{
    size_t count = 1 + chance_below(LINES_MAX);
    request->items = arena_array(arena, count, sizeof(*request->items));
    for (size_t i = 0; i < count; i++) {
        Baro__Order__OrderLine *line = arena_alloc(arena, sizeof(*line));
        baro__order__order_line__init(line);
        line->option_id = 1 + (int64_t)chance_below(OPTIONS);
        line->quantity = 1 + (int64_t)chance_below(3);
        request->items[request->n_items++] = line;
    }
}

static void order_something(struct shopper *shopper, struct arena *arena)
{
    Baro__Order__PlaceOrderRequest request = BARO__ORDER__PLACE_ORDER_REQUEST__INIT;
    Baro__Int64 coupon = BARO__INT64__INIT;
    ProtobufCMessage *reply;
    bool known, checkout = chance_once_in(3);
    struct errand errand = {.shopper = shopper, .tale = &shopper->tales[shopper->tale_count++]};
    assert(shopper->tale_count <= TALE_MAX);
    choose_lines(&request, arena);
    errand.coupon = coupon.value = pick_coupon(shopper);
    if (coupon.value)
        request.user_coupon_id = &coupon;
    request.wait_ms = (int32_t)chance_below(3000);
    struct wish wish =
        wish_of(shopper, arena, ORDER,
                checkout ? "baro.order.Order/Checkout" : "baro.order.Order/PlaceOrder",
                &request.base, &baro__order__order_view__descriptor);
    struct status st = ask(&wish, &reply, &known);
    if (!failed(st))
        hear_of(errand.tale, (const void *)reply);
    // A checkout that is refused may have left a FAILED order behind; a refused PlaceOrder nothing.
    errand.tale->refused = known && failed(st) && !checkout;
    if (known && chance_once_in(5) && !failed(ask_once(&wish, &reply)))
        hear_of(errand.tale, (const void *)reply);
    if (errand.tale->order_id && !checkout)
        go_on(&errand, arena);
    else if (errand.tale->paid && chance_once_in(4))
        cancel(&errand, arena);
}

static void claim_all(struct errand *errand, struct arena *arena)
{
    for (int64_t i = 0; i < CAMPAIGNS; i++)
        if (!chance_once_in(4))
            claim(errand->shopper, arena, i + 1);
}

static void charge_once(struct errand *errand, struct arena *arena)
{
    charge(errand->shopper, arena);
}

// Each hand of a shopper orders by itself.
static void shop(struct errand *errand, struct arena *arena)
{
    for (int i = 0; i < ORDERS_EACH; i++) {
        arena_reset(arena);
        if (i == 0 || chance_once_in(4))
            send_off(errand, charge_once);
        order_something(errand->shopper, arena);
        pause_up_to(chance_once_in(3) ? 2000 : 20);
    }
}

void shop_go(struct process *outside)
{
    process_now = outside;
    for (size_t kind = 0; kind < KINDS; kind++)
        clients[kind] =
            rpc_client_create(&(struct rpc_client_options){.service = KIND_NAMES[kind]});
    process_now = NULL;
    for (size_t i = 0; i < SHOPPERS; i++) {
        shoppers[i].user_id = (int64_t)i + 1;
        shoppers[i].process = outside;
        struct errand errand = {.shopper = &shoppers[i]};
        send_off(&errand, claim_all);
        for (int hand = 0; hand < HANDS; hand++)
            send_off(&errand, shop);
    }
}

bool shop_is_done(void)
{
    for (size_t i = 0; i < SHOPPERS; i++)
        if (shoppers[i].busy)
            return false;
    return true;
}
