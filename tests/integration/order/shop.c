// One dispatcher per service over a store that needs no transaction; the state is behind one lock.

#include "tests/integration/order/shop.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "lib/bus/commands.h"
#include "proto/coupon.pb-c.h"
#include "proto/product.pb-c.h"
#include "proto/user.pb-c.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 64, HOLDS = 1024, METHODS = 64, OPTIONS = 90, LINES = 32 };

struct hold {
    int64_t order_id;
    enum shop_hold state;
    size_t line_count;
    struct {
        int64_t option_id, quantity;
    } lines[LINES];
    int64_t paid_by, paid_won; // the USE row
};

struct gate {
    char *method;
    bool silent;
    int passes, calls;
};

struct peer {
    const char *name;
    struct method *methods;
    struct method_table table;
    struct stand_store store;
    struct dispatcher *dispatcher;
    struct publisher *publisher;
    struct rpc_server *server;
    struct command_receiver *receiver;
    char rpc[64], bus[64];
};

struct shop {
    pthread_mutex_t lock;
    int64_t balances[USERS];
    int64_t available[OPTIONS];
    struct hold holds[HOLDS];
    size_t hold_count;
    enum shop_coupon coupon;
    int64_t coupon_order;
    struct gate gates[METHODS];
    size_t gate_count;
    int64_t early_release; // the option of the last one that found no hold
    struct peer peers[3];
};

static struct gate *gate_of(struct shop *shop, const char *method)
{
    for (size_t i = 0; i < shop->gate_count; i++)
        if (strcmp(shop->gates[i].method, method) == 0)
            return &shop->gates[i];
    cr_assert(shop->gate_count < METHODS);
    struct gate *gate = &shop->gates[shop->gate_count++];
    *gate = (struct gate){.method = strdup(method)};
    return gate;
}

static struct hold *hold_of(struct shop *shop, int64_t order_id)
{
    for (size_t i = 0; i < shop->hold_count; i++)
        if (shop->holds[i].order_id == order_id)
            return &shop->holds[i];
    cr_assert(shop->hold_count < HOLDS);
    struct hold *hold = &shop->holds[shop->hold_count++];
    *hold = (struct hold){.order_id = order_id};
    return hold;
}

static const ProtobufCMessage *empty(void)
{
    static const Baro__Empty message = BARO__EMPTY__INIT;
    return &message.base;
}

static Baro__Product__OptionFacts *describe(struct shop *shop, struct arena *arena,
                                            int64_t option_id)
{
    Baro__Product__OptionFacts *facts = arena_alloc(arena, sizeof(*facts));
    baro__product__option_facts__init(facts);
    facts->option_id = option_id;
    facts->product_id = option_id / 10 + 1;
    facts->product_name = text_printf(arena, "product %lld", (long long)facts->product_id);
    facts->option_name = text_printf(arena, "option %lld", (long long)option_id);
    facts->price = SHOP_PRICE;
    facts->available = shop->available[option_id];
    facts->orderable = true;
    return facts;
}

static bool exists(int64_t option_id)
{
    return option_id > 0 && option_id < OPTIONS;
}

static void describe_options(struct shop *shop, struct batch *batch, struct call *call)
{
    const Baro__Product__DescribeOptionsRequest *request =
        (const Baro__Product__DescribeOptionsRequest *)call->request;
    Baro__Product__DescribeOptionsReply *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__product__describe_options_reply__init(reply);
    reply->options = arena_array(batch->arena, request->n_option_ids + 1, sizeof(*reply->options));
    for (size_t i = 0; i < request->n_option_ids; i++)
        if (exists(request->option_ids[i]))
            reply->options[reply->n_options++] =
                describe(shop, batch->arena, request->option_ids[i]);
    call_reply(call, &reply->base);
}

static void hold_stock(struct shop *shop, struct batch *batch, struct call *call)
{
    const Baro__Product__HoldStockRequest *request =
        (const Baro__Product__HoldStockRequest *)call->request;
    struct hold *hold = hold_of(shop, request->order_id);
    Baro__Product__HoldStockReply *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__product__hold_stock_reply__init(reply);
    reply->lines = arena_array(batch->arena, request->n_lines, sizeof(*reply->lines));
    for (size_t i = 0; i < request->n_lines; i++) {
        const Baro__Product__HoldLine *line = request->lines[i];
        if (!exists(line->option_id)) {
            call_refuse(call, refuse(REASON_OPTION_NOT_FOUND, "no such option"));
            return;
        }
        if (hold->state == SHOP_NONE && shop->available[line->option_id] < line->quantity) {
            call_refuse(call, refuse(REASON_INSUFFICIENT_STOCK, "not that much"));
            return;
        }
        reply->lines[reply->n_lines++] = describe(shop, batch->arena, line->option_id);
    }
    for (size_t i = 0; hold->state == SHOP_NONE && i < request->n_lines; i++) {
        hold->lines[i].option_id = request->lines[i]->option_id;
        hold->lines[i].quantity = request->lines[i]->quantity;
        hold->line_count = request->n_lines;
        shop->available[hold->lines[i].option_id] -= hold->lines[i].quantity;
    }
    hold->state = SHOP_HELD;
    reply->expires_at = arena_alloc(batch->arena, sizeof(*reply->expires_at));
    baro__timestamp__init(reply->expires_at);
    reply->expires_at->us = batch->now_us + request->ttl_ms * 1000;
    call_reply(call, &reply->base);
}

static const Baro__Product__StockStepRequest *step_request(const struct call *call)
{
    return (const Baro__Product__StockStepRequest *)call->request;
}

static int64_t step_order(const struct call *call)
{
    return step_request(call)->order_id;
}

static void give_back(struct shop *shop, struct hold *hold, enum shop_hold state)
{
    for (size_t i = 0; i < hold->line_count; i++)
        shop->available[hold->lines[i].option_id] += hold->lines[i].quantity;
    hold->state = state;
}

static void confirm_stock(struct shop *shop, struct batch *batch, struct call *call)
{
    (void)batch;
    struct hold *hold = hold_of(shop, step_order(call));
    if (hold->state == SHOP_HELD)
        hold->state = SHOP_CONFIRMED;
    if (hold->state == SHOP_CONFIRMED)
        call_reply(call, empty());
    else
        call_refuse(call, refuse(REASON_HOLD_LOST, "the hold is gone"));
}

static void release_stock(struct shop *shop, struct batch *batch, struct call *call)
{
    (void)batch;
    struct hold *hold = hold_of(shop, step_order(call));
    if (hold->state == SHOP_HELD)
        give_back(shop, hold, SHOP_RELEASED);
    else if (hold->state == SHOP_CONFIRMED)
        give_back(shop, hold, SHOP_RETURNED);
    else if (hold->state == SHOP_NONE && step_request(call)->n_option_ids)
        shop->early_release = step_request(call)->option_ids[0];
    call_reply(call, empty());
}

static Baro__User__WalletMoved *moved(struct batch *batch, int64_t amount_won)
{
    Baro__User__WalletMoved *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__user__wallet_moved__init(reply);
    reply->amount = amount_won;
    return reply;
}

static void debit_wallet(struct shop *shop, struct batch *batch, struct call *call)
{
    const Baro__User__DebitWalletRequest *request =
        (const Baro__User__DebitWalletRequest *)call->request;
    struct hold *hold = hold_of(shop, request->order_id);
    if (!hold->paid_by && shop->balances[request->user_id] < request->amount) {
        call_refuse(call, refuse(REASON_INSUFFICIENT_BALANCE, "the balance is short"));
        return;
    }
    if (!hold->paid_by) {
        shop->balances[request->user_id] -= request->amount;
        hold->paid_by = request->user_id;
        hold->paid_won = request->amount;
    }
    call_reply(call, &moved(batch, request->amount)->base);
}

static void refund_wallet(struct shop *shop, struct batch *batch, struct call *call)
{
    const Baro__User__RefundWalletRequest *request =
        (const Baro__User__RefundWalletRequest *)call->request;
    struct hold *hold = hold_of(shop, request->order_id);
    shop->balances[hold->paid_by] += hold->paid_won;
    int64_t back_won = hold->paid_won;
    hold->paid_won = 0;
    call_reply(call, &moved(batch, back_won)->base);
}

static void take_coupon(struct shop *shop, struct batch *batch, struct call *call,
                        int64_t coupon_id, int64_t order_id, enum shop_coupon state)
{
    bool ours = shop->coupon == SHOP_AVAILABLE || shop->coupon_order == order_id;
    if (coupon_id != SHOP_COUPON || !ours) {
        call_refuse(call, refuse(REASON_COUPON_NOT_USABLE, "not usable"));
        return;
    }
    shop->coupon = state;
    shop->coupon_order = order_id;
    Baro__Coupon__Discount *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__coupon__discount__init(reply);
    reply->discount = SHOP_DISCOUNT;
    reply->user_coupon_id = coupon_id;
    call_reply(call, &reply->base);
}

static void hold_coupon(struct shop *shop, struct batch *batch, struct call *call)
{
    const Baro__Coupon__HoldCouponRequest *request =
        (const Baro__Coupon__HoldCouponRequest *)call->request;
    take_coupon(shop, batch, call, request->user_coupon_id, request->order_id, SHOP_COUPON_HELD);
}

static void redeem_coupon(struct shop *shop, struct batch *batch, struct call *call)
{
    const Baro__Coupon__RedeemCouponRequest *request =
        (const Baro__Coupon__RedeemCouponRequest *)call->request;
    take_coupon(shop, batch, call, request->user_coupon_id, request->order_id, SHOP_USED);
}

static void restore_coupon(struct shop *shop, struct batch *batch, struct call *call)
{
    (void)batch;
    const Baro__Coupon__CouponStepRequest *request =
        (const Baro__Coupon__CouponStepRequest *)call->request;
    if (shop->coupon_order == request->order_id) {
        shop->coupon = SHOP_AVAILABLE;
        shop->coupon_order = 0;
    }
    call_reply(call, empty());
}

// The shop's books are in order, and say nothing.
static void check_law(struct shop *shop, struct batch *batch, struct call *call)
{
    (void)shop;
    Baro__CheckLawReply *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__check_law_reply__init(reply);
    reply->ended = true;
    call_reply(call, &reply->base);
}

static void list_facts(struct shop *shop, struct batch *batch, struct call *call)
{
    (void)shop;
    Baro__OrderFacts *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__order_facts__init(reply);
    call_reply(call, &reply->base);
}

static const struct {
    const char *method;
    void (*handle)(struct shop *shop, struct batch *batch, struct call *call);
} HANDLERS[] = {
    {"DescribeOptions", describe_options},
    {"HoldStock",       hold_stock      },
    {"ConfirmStock",    confirm_stock   },
    {"ReleaseStock",    release_stock   },
    {"ReturnStock",     release_stock   },
    {"DebitWallet",     debit_wallet    },
    {"RefundWallet",    refund_wallet   },
    {"HoldCoupon",      hold_coupon     },
    {"RedeemCoupon",    redeem_coupon   },
    {"RestoreCoupon",   restore_coupon  },
    {"CheckLaw",        check_law       },
    {"ListOrderFacts",  list_facts      },
};

static void handle_one(struct shop *shop, struct batch *batch, struct call *call)
{
    struct gate *gate = gate_of(shop, call->method->name);
    gate->calls++;
    if (gate->silent && gate->passes-- <= 0) {
        call_refuse(call, refuse(REASON_UNAVAILABLE, "silent"));
        return;
    }
    for (size_t i = 0; i < COUNT(HANDLERS); i++)
        if (strcmp(HANDLERS[i].method, call->method->name) == 0) {
            HANDLERS[i].handle(shop, batch, call);
            return;
        }
    call_refuse(call, refuse(REASON_NOT_IMPLEMENTED, "not in this shop"));
}

static struct status handle(struct batch *batch)
{
    struct shop *shop = batch->service;
    struct call *call;
    pthread_mutex_lock(&shop->lock);
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        handle_one(shop, batch, call);
    pthread_mutex_unlock(&shop->lock);
    return OK;
}

static void must(struct status st)
{
    cr_assert(!failed(st), "%s %s", reason_word(st.reason), st.message ? st.message : "");
}

static void open_peer(struct shop *shop, struct peer *peer, const char *name,
                      const ProtobufCServiceDescriptor *service, const char *order_bus)
{
    peer->name = name;
    peer->methods = calloc(service->n_methods, sizeof(*peer->methods));
    for (unsigned i = 0; i < service->n_methods; i++) {
        const struct method row = {.name = service->methods[i].name,
                                   .kind = METHOD_WRITE,
                                   .access = ACCESS_ANYBODY,
                                   .handle = handle};
        memcpy(&peer->methods[i], &row, sizeof(row));
    }
    peer->table = (struct method_table){service, peer->methods, service->n_methods};
    peer->dispatcher = dispatcher_create(&(struct dispatcher_options){
        .transaction = &stand_transaction,
        .transaction_context = &peer->store,
        .service = shop,
    });
    must(dispatcher_add(peer->dispatcher, &peer->table));
    dispatcher_start(peer->dispatcher);
    must(publisher_start("tcp://127.0.0.1:0", SHOP_SECRET, &peer->publisher));
    must(rpc_server_start(&(struct rpc_server_options){.listen = "tcp://127.0.0.1:0",
                                                       .secret = SHOP_SECRET,
                                                       .instance = name,
                                                       .contexts = 64,
                                                       .dispatcher = peer->dispatcher},
                          &peer->server));
    must(command_receiver_start(name, order_bus, SHOP_SECRET, peer->dispatcher, peer->publisher,
                                &peer->receiver));
    command_receiver_set_partitions(peer->receiver, 0xffff);
    snprintf(peer->rpc, sizeof(peer->rpc), "tcp://127.0.0.1:%d", rpc_server_port(peer->server));
    snprintf(peer->bus, sizeof(peer->bus), "tcp://127.0.0.1:%d", publisher_port(peer->publisher));
}

struct shop *shop_open(const char *order_bus)
{
    struct shop *shop = calloc(1, sizeof(*shop));
    cr_assert_not_null(shop);
    pthread_mutex_init(&shop->lock, NULL);
    for (size_t i = 0; i < OPTIONS; i++)
        shop->available[i] = SHOP_STOCK;
    open_peer(shop, &shop->peers[0], "user", &baro__user__user__descriptor, order_bus);
    open_peer(shop, &shop->peers[1], "product", &baro__product__product__descriptor, order_bus);
    open_peer(shop, &shop->peers[2], "coupon", &baro__coupon__coupon__descriptor, order_bus);
    return shop;
}

void shop_close(struct shop *shop)
{
    for (size_t i = 0; i < COUNT(shop->peers); i++) {
        struct peer *peer = &shop->peers[i];
        dispatcher_drain(peer->dispatcher, 1000);
        command_receiver_destroy(peer->receiver);
        rpc_server_destroy(peer->server);
        dispatcher_destroy(peer->dispatcher);
        publisher_destroy(peer->publisher);
        free(peer->methods);
    }
    for (size_t i = 0; i < shop->gate_count; i++)
        free(shop->gates[i].method);
    pthread_mutex_destroy(&shop->lock);
    free(shop);
}

static const struct peer *peer_of(const struct shop *shop, const char *service)
{
    for (size_t i = 0; i < COUNT(shop->peers); i++)
        if (strcmp(shop->peers[i].name, service) == 0)
            return &shop->peers[i];
    cr_assert_fail("no service %s", service);
    return NULL;
}

const char *shop_rpc(const struct shop *shop, const char *service)
{
    return peer_of(shop, service)->rpc;
}

const char *shop_bus(const struct shop *shop, const char *service)
{
    return peer_of(shop, service)->bus;
}

void shop_set_balance(struct shop *shop, int64_t user_id, int64_t balance_won)
{
    pthread_mutex_lock(&shop->lock);
    shop->balances[user_id] = balance_won;
    pthread_mutex_unlock(&shop->lock);
}

int64_t shop_balance(struct shop *shop, int64_t user_id)
{
    pthread_mutex_lock(&shop->lock);
    int64_t balance_won = shop->balances[user_id];
    pthread_mutex_unlock(&shop->lock);
    return balance_won;
}

int64_t shop_available(struct shop *shop, int64_t option_id)
{
    pthread_mutex_lock(&shop->lock);
    int64_t available = shop->available[option_id];
    pthread_mutex_unlock(&shop->lock);
    return available;
}

int64_t shop_early_release(struct shop *shop)
{
    pthread_mutex_lock(&shop->lock);
    int64_t option_id = shop->early_release;
    pthread_mutex_unlock(&shop->lock);
    return option_id;
}

enum shop_hold shop_hold_of(struct shop *shop, int64_t order_id)
{
    pthread_mutex_lock(&shop->lock);
    enum shop_hold state = hold_of(shop, order_id)->state;
    pthread_mutex_unlock(&shop->lock);
    return state;
}

enum shop_coupon shop_coupon_state(struct shop *shop)
{
    pthread_mutex_lock(&shop->lock);
    enum shop_coupon state = shop->coupon;
    pthread_mutex_unlock(&shop->lock);
    return state;
}

void shop_lose_hold(struct shop *shop, int64_t order_id)
{
    pthread_mutex_lock(&shop->lock);
    give_back(shop, hold_of(shop, order_id), SHOP_RELEASED);
    pthread_mutex_unlock(&shop->lock);
}

void shop_silence(struct shop *shop, const char *method, int passes)
{
    pthread_mutex_lock(&shop->lock);
    struct gate *gate = gate_of(shop, method);
    gate->silent = true;
    gate->passes = passes;
    pthread_mutex_unlock(&shop->lock);
}

void shop_speak(struct shop *shop, const char *method)
{
    pthread_mutex_lock(&shop->lock);
    gate_of(shop, method)->silent = false;
    pthread_mutex_unlock(&shop->lock);
}

int shop_calls(struct shop *shop, const char *method)
{
    pthread_mutex_lock(&shop->lock);
    int calls = gate_of(shop, method)->calls;
    pthread_mutex_unlock(&shop->lock);
    return calls;
}
