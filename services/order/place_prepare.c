// Before an order is inserted its stock is held, and its coupon when one is given (DESIGN 5): two
// calls to other services, outside any transaction, idempotent by the order's id. A checkout's coupon is
// left to its saga, which redeems it at once and whose refusal leaves a FAILED order behind (SPEC 2).
//
//     check -> [cart lines] -> order id -> HoldStock -> [HoldCoupon] -> ready
//
// Each arrow may continue on another thread; the call's arena goes along. Whatever fails gives back
// what may be held.

#include "services/order/place.h"

#include "lib/base/clock.h"
#include "lib/base/money.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/rpc/access.h"
#include "proto/coupon.pb-c.h"
#include "proto/product.pb-c.h"
#include "services/order/order.h"
#include "services/order/store.h"

#include <string.h>

enum {
    ANSWER_MS = 200, // what is left of the caller's time for our own transaction
    GIVE_BACK_MS = 5000,
    CART_LINES_MAX = ORDER_UNITS_MAX,
};

static const Baro__Order__PlaceOrderRequest *request_of(const struct placing *placing)
{
    return (const Baro__Order__PlaceOrderRequest *)placing->call->request;
}

// A definite refusal is kept under the idempotency key, a fault is not.
static void stop(struct placing *placing, struct status st)
{
    struct call *call = placing->call;
    st = status_keep(st, call->arena);
    placing_give_back(placing);
    count_refusal(&placing->service->counters, st);
    call_refuse(call, st);
    if (status_is_definite(st))
        call_record(call);
    else
        call_finish(call);
}

static void ask(struct placing *placing, struct rpc_client *client, const char *method,
                const ProtobufCMessage *message, rpc_done *done)
{
    const struct call *call = placing->call;
    int64_t left_ms = (call->deadline_us - clock_monotonic_us()) / US_PER_MS - ANSWER_MS;
    if (left_ms <= 0) {
        stop(placing, refuse(REASON_DEADLINE_EXCEEDED, "the time was over before the hold"));
        return;
    }
    rpc_call(client,
             &(struct rpc_request){
                 .method = method,
                 .message = message,
                 .caller = {.user_id = call->caller.user_id, .role = CALLER_SERVICE},
                 .timeout_ms = left_ms,
                 .traceparent = call->traceparent,
                 .idempotent = true,
    },
             done, placing);
}

static void nobody_waits(void *arg, struct status st, const Baro__RpcReply *reply)
{
    (void)arg;
    (void)st;
    (void)reply;
}

static void tell(struct rpc_client *client, const char *method, const ProtobufCMessage *message)
{
    rpc_call(client,
             &(struct rpc_request){
                 .method = method,
                 .message = message,
                 .caller = {.role = CALLER_SERVICE},
                 .timeout_ms = GIVE_BACK_MS,
                 .idempotent = true,
             },
             nobody_waits, NULL);
}

static int64_t *wanted_options(const struct placing *placing)
{
    int64_t *ids = arena_array(placing->call->arena, placing->wanted_count + 1, sizeof(*ids));
    for (size_t i = 0; i < placing->wanted_count; i++)
        ids[i] = placing->wanted[i].option_id;
    return ids;
}

// A hold whose answer never came may still be on its way: both services keep in mind that it comes too
// late.
void placing_give_back(struct placing *placing)
{
    if (placing->stock_held) {
        Baro__Product__StockStepRequest release;
        baro__product__stock_step_request__init(&release);
        release.order_id = placing->order_id;
        release.option_ids = wanted_options(placing);
        release.n_option_ids = placing->wanted_count;
        tell(placing->service->product, "baro.product.Product/ReleaseStock", &release.base);
    }
    if (placing->coupon_held) {
        Baro__Coupon__CouponStepRequest restore;
        baro__coupon__coupon_step_request__init(&restore);
        restore.user_coupon_id = placing->user_coupon_id;
        restore.order_id = placing->order_id;
        tell(placing->service->coupon, "baro.coupon.Coupon/RestoreCoupon", &restore.base);
    }
    placing->stock_held = placing->coupon_held = false;
}

static ProtobufCMessage *unpack(struct placing *placing, const Baro__RpcReply *reply,
                                const ProtobufCMessageDescriptor *type)
{
    return protobuf_unpack(type, reply->payload.len, reply->payload.data, placing->call->arena);
}

static void coupon_held(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct placing *placing = arg;
    placing->coupon_held = !failed(st) || !status_is_definite(st);
    if (failed(st)) {
        stop(placing, st);
        return;
    }
    const Baro__Coupon__Discount *discount =
        (const Baro__Coupon__Discount *)unpack(placing, reply, &baro__coupon__discount__descriptor);
    if (!discount || discount->discount < 0 || discount->discount > placing->total_won) {
        stop(placing, refuse(REASON_INTERNAL, "the coupon service gave no usable discount"));
        return;
    }
    placing->discount_won = discount->discount;
    call_ready(placing->call);
}

static void hold_coupon(struct placing *placing)
{
    Baro__Coupon__HoldCouponRequest message;
    baro__coupon__hold_coupon_request__init(&message);
    message.user_id = placing->call->caller.user_id;
    message.user_coupon_id = placing->user_coupon_id;
    message.order_id = placing->order_id;
    message.amount = placing->total_won;
    message.ttl_ms = placing->ttl_ms;
    ask(placing, placing->service->coupon, "baro.coupon.Coupon/HoldCoupon", &message.base,
        coupon_held);
}

// The reply names the held lines in the order of the request.
static struct status take_lines(struct placing *placing, const Baro__Product__HoldStockReply *held)
{
    if (!held || held->n_lines != placing->wanted_count)
        return refuse(REASON_INTERNAL, "the product service held something else");
    struct order_line *lines =
        arena_array(placing->call->arena, held->n_lines, sizeof(*placing->lines));
    for (size_t i = 0; i < held->n_lines; i++) {
        const Baro__Product__OptionFacts *facts = held->lines[i];
        if (facts->option_id != placing->wanted[i].option_id)
            return refuse(REASON_INTERNAL, "the product service held something else");
        lines[i] = (struct order_line){
            .option_id = facts->option_id,
            .product_id = facts->product_id,
            .price_won = facts->price,
            .quantity = placing->wanted[i].quantity,
            .product_name = facts->product_name,
            .option_name = facts->option_name,
        };
    }
    placing->lines = lines;
    struct status st = order_check_products(lines, held->n_lines);
    return failed(st) ? st : order_total(lines, held->n_lines, &placing->total_won);
}

static void stock_held(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct placing *placing = arg;
    placing->stock_held = !failed(st) || !status_is_definite(st);
    if (!failed(st))
        st = take_lines(placing, (const Baro__Product__HoldStockReply *)unpack(
                                     placing, reply, &baro__product__hold_stock_reply__descriptor));
    if (failed(st))
        stop(placing, st);
    else if (placing->user_coupon_id && !placing->checkout)
        hold_coupon(placing);
    else
        call_ready(placing->call);
}

static void hold_stock(void *arg, int64_t order_id)
{
    struct placing *placing = arg;
    struct arena *arena = placing->call->arena;
    if (!order_id) {
        stop(placing, refuse(REASON_UNAVAILABLE, "no order id could be had"));
        return;
    }
    placing->order_id = order_id;
    Baro__Product__HoldStockRequest message;
    baro__product__hold_stock_request__init(&message);
    message.order_id = order_id;
    message.user_id = placing->call->caller.user_id;
    message.ttl_ms = placing->ttl_ms;
    message.n_lines = placing->wanted_count;
    message.lines = arena_array(arena, message.n_lines, sizeof(*message.lines));
    for (size_t i = 0; i < message.n_lines; i++) {
        Baro__Product__HoldLine *line = message.lines[i] = arena_alloc(arena, sizeof(*line));
        baro__product__hold_line__init(line);
        line->option_id = placing->wanted[i].option_id;
        line->quantity = placing->wanted[i].quantity;
    }
    placing->hold_ends_us = clock_monotonic_us() + placing->ttl_ms * US_PER_MS;
    ask(placing, placing->service->product, "baro.product.Product/HoldStock", &message.base,
        stock_held);
}

static void check_and_hold(struct placing *placing)
{
    struct status st = order_check_wanted(placing->wanted, &placing->wanted_count);
    if (failed(st))
        stop(placing, st);
    else
        id_pool_take(placing->service->pool, hold_stock, placing);
}

static struct status take_cart_lines(struct placing *placing, const Baro__Order__CartLines *found)
{
    const Baro__Order__PlaceOrderRequest *request = request_of(placing);
    for (size_t i = 0; i < request->n_cart_item_ids; i++) {
        size_t at = 0;
        while (at < found->n_lines && found->lines[at]->id != request->cart_item_ids[i])
            at++;
        if (at == found->n_lines)
            return refuse(REASON_CART_ITEM_NOT_FOUND, "there is no such item in your cart");
        if (found->lines[at]->user_id != placing->call->caller.user_id)
            return refuse(REASON_FORBIDDEN, "this is not your cart");
        placing->wanted[i].option_id = found->lines[at]->option_id;
        placing->wanted[i].quantity = found->lines[at]->quantity;
    }
    placing->wanted_count = request->n_cart_item_ids;
    return OK;
}

static void cart_found(void *arg, const struct call *read)
{
    struct placing *placing = arg;
    struct status st = read->status;
    if (!failed(st))
        st = take_cart_lines(placing, (const Baro__Order__CartLines *)read->reply);
    if (failed(st))
        stop(placing, st);
    else
        check_and_hold(placing);
}

static void find_cart_lines(struct placing *placing)
{
    const Baro__Order__PlaceOrderRequest *request = request_of(placing);
    Baro__Order__FindCartItemsRequest find;
    baro__order__find_cart_items_request__init(&find);
    find.n_item_ids = request->n_cart_item_ids;
    find.item_ids = request->cart_item_ids;
    dispatcher_run(placing->service->dispatcher, "baro.order.Order/FindCartItems", &find.base, NULL,
                   0, cart_found, placing);
}

static struct status check_cart_ids(const Baro__Order__PlaceOrderRequest *request)
{
    if (request->n_cart_item_ids > CART_LINES_MAX)
        return invalid("cart_item_ids", "an order has at most 30 units");
    for (size_t i = 0; i < request->n_cart_item_ids; i++)
        for (size_t j = 0; j < i; j++)
            if (request->cart_item_ids[i] == request->cart_item_ids[j])
                return invalid("cart_item_ids", "names an item twice");
    return OK;
}

static struct status check_request(const struct call *call,
                                   const Baro__Order__PlaceOrderRequest *request)
{
    struct status st = access_check(call->method->access, call->caller, false);
    if (failed(st))
        return st;
    if (request->n_items > 0 && request->n_cart_item_ids > 0)
        return invalid("cart_item_ids", "give either items or cart_item_ids");
    if (request->user_coupon_id && request->user_coupon_id->value <= 0)
        return invalid("user_coupon_id", "must be the id of one of your coupons");
    return check_cart_ids(request);
}

static void prepare(struct call *call, bool checkout)
{
    struct order_service *service = call->service;
    struct placing *placing = arena_alloc(call->arena, sizeof(*placing));
    *placing = (struct placing){
        .call = call,
        .service = service,
        .checkout = checkout,
        .ttl_ms = checkout ? service->settings->checkout_ttl_ms : service->settings->order_ttl_ms,
    };
    const Baro__Order__PlaceOrderRequest *request = request_of(placing);
    struct status st = check_request(call, request);
    if (failed(st)) {
        call_refuse(call, st);
        call_finish(call);
        return;
    }
    call->own = placing;
    placing->user_coupon_id = request->user_coupon_id ? request->user_coupon_id->value : 0;
    placing->wanted_count = request->n_items;
    placing->wanted = arena_array(call->arena, request->n_items + request->n_cart_item_ids + 1,
                                  sizeof(*placing->wanted));
    for (size_t i = 0; i < request->n_items; i++)
        placing->wanted[i] =
            (struct wanted_line){request->items[i]->option_id, request->items[i]->quantity};
    if (request->n_cart_item_ids > 0)
        find_cart_lines(placing);
    else
        check_and_hold(placing);
}

void prepare_place_order(struct call *call)
{
    prepare(call, false);
}

void prepare_checkout(struct call *call)
{
    prepare(call, true);
}
