// PlaceOrder and Checkout, after their holds: one local transaction inserts the orders of the whole
// batch. A checkout's order is PAYING from the start, with its attempt and its saga.

#include "services/order/place.h"

#include "lib/base/clock.h"
#include "lib/base/timeid.h"
#include "services/order/news.h"
#include "services/order/starts.h"
#include "services/order/wire.h"

static const Baro__Order__PlaceOrderRequest *request_of(const struct call *call)
{
    return (const Baro__Order__PlaceOrderRequest *)call->request;
}

static struct placing *placing_of(const struct call *call)
{
    return call->own;
}

// Locks the cart lines that the batch orders, so that each is ordered once.
static struct status lock_cart(struct batch *batch, struct cart_set *cart)
{
    struct call *call;
    size_t count = 0;
    *cart = (struct cart_set){.lines = NULL, .count = 0};
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        count += request_of(call)->n_cart_item_ids;
    if (count == 0)
        return OK;
    int64_t *ids = arena_array(batch->arena, count, sizeof(*ids));
    count = 0;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        for (size_t j = 0; j < request_of(call)->n_cart_item_ids; j++)
            ids[count++] = request_of(call)->cart_item_ids[j];
    return store_load_cart(batch->tx, batch->arena, NULL, 0, ids, count, true, cart);
}

// Takes what the call has held out of its cart lines; what came to them meanwhile stays. A line that
// has less by now, or of which an earlier call of the batch took it, is not there any more.
static struct status take_from_cart(const struct call *call, struct cart_set *cart)
{
    const Baro__Order__PlaceOrderRequest *request = request_of(call);
    const struct wanted_line *wanted = placing_of(call)->wanted;
    for (size_t i = 0; i < request->n_cart_item_ids; i++) {
        const struct cart_line *line = cart_set_find(cart, request->cart_item_ids[i]);
        if (!line || line->quantity < wanted[i].quantity)
            return refuse(REASON_CART_ITEM_NOT_FOUND, "the item has left your cart meanwhile");
    }
    for (size_t i = 0; i < request->n_cart_item_ids; i++)
        cart_set_find(cart, request->cart_item_ids[i])->quantity -= wanted[i].quantity;
    return OK;
}

// How long the hold lives at least: counted here from when it was asked for, as the clocks of two
// databases need not agree.
static int64_t hold_left_us(const struct placing *placing)
{
    return placing->hold_ends_us - clock_monotonic_us();
}

static struct order *make_order(struct batch *batch, const struct placing *placing)
{
    struct order *order = arena_alloc(batch->arena, sizeof(*order));
    *order = (struct order){
        .id = placing->order_id,
        .user_id = placing->call->caller.user_id,
        .user_coupon_id = placing->user_coupon_id,
        .total_won = placing->total_won,
        .discount_won = placing->discount_won,
        .expires_at_us = batch->now_us + hold_left_us(placing),
        .lines = placing->lines,
        .line_count = placing->wanted_count,
    };
    order_begin(order, batch->arena, batch->now_us);
    return order;
}

// How many orders of each call's user hold stock unpaid; NULL when any number may. Until the batch
// ends nobody else counts or adds orders of these users.
static struct status count_open(struct batch *batch, int64_t **open)
{
    const struct order_settings *settings = ((struct order_service *)batch->service)->settings;
    int64_t *users = arena_array(batch->arena, batch->count, sizeof(*users));
    *open = NULL;
    if (settings->open_orders_max == 0)
        return OK;
    for (size_t i = 0; i < batch->count; i++)
        users[i] = batch->calls[i]->caller.user_id;
    struct status st = store_lock_users(batch->tx, users, batch->count);
    if (failed(st))
        return st;
    return store_count_open(batch->tx, batch->arena, users, batch->count,
                            batch->now_us - settings->order_ttl_ms * US_PER_MS,
                            settings->open_orders_max, open);
}

// One more for the user's other calls of the batch.
static void add_open(const struct batch *batch, int64_t *open, int64_t user_id)
{
    for (size_t i = 0; open && i < batch->count; i++)
        open[i] += batch->calls[i]->caller.user_id == user_id;
}

static struct status check(const struct batch *batch, const struct call *call,
                           struct cart_set *cart, const int64_t *open)
{
    const struct order_service *service = batch->service;
    if (hold_left_us(placing_of(call)) <= 0)
        return refuse(REASON_UNAVAILABLE, "the hold ran out before the order was written");
    if (open && *open >= service->settings->open_orders_max)
        return refuse(REASON_RATE_LIMITED, "too many unpaid orders: pay or cancel one first");
    return take_from_cart(call, cart);
}

static struct status make_orders(struct batch *batch, struct cart_set *cart, struct order **orders,
                                 struct call **calls, size_t *count)
{
    struct call *call;
    int64_t *open;
    *count = 0;
    struct status st = lock_cart(batch, cart);
    if (!failed(st))
        st = count_open(batch, &open);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status own = check(batch, call, cart, open ? &open[i] : NULL);
        if (failed(own)) {
            call_refuse(call, own);
            continue;
        }
        add_open(batch, open, call->caller.user_id);
        calls[*count] = call;
        orders[(*count)++] = make_order(batch, placing_of(call));
    }
    return OK;
}

struct status handle_place_order(struct batch *batch)
{
    struct order **orders = arena_array(batch->arena, batch->count, sizeof(struct order *));
    struct call **calls = arena_array(batch->arena, batch->count, sizeof(struct call *));
    struct cart_set cart;
    size_t count;
    struct status st = make_orders(batch, &cart, orders, calls, &count);
    if (!failed(st))
        st = news_save_orders(batch, orders, count);
    if (!failed(st))
        st = store_save_cart(batch->tx, batch->arena, cart.lines, cart.count);
    for (size_t i = 0; i < count && !failed(st); i++)
        call_reply(calls[i], &wire_order(batch->arena, orders[i])->base);
    return st;
}

static struct status begin_payments(struct batch *batch, struct order **orders, struct call **calls,
                                    size_t count)
{
    struct order_service *service = batch->service;
    struct saga_starts starts;
    int64_t *payment_ids = arena_array(batch->arena, count + 1, sizeof(*payment_ids));
    struct status st =
        saga_starts_init(&starts, service, batch->tx, batch->arena, batch->now_us, count);
    if (!failed(st) && count)
        st = ids_take(service->payment_ids, batch->tx, count, payment_ids);
    if (failed(st))
        return st;
    for (size_t i = 0; i < count; i++)
        placing_of(calls[i])->launch =
            start_payment(&starts, orders[i], time_id(batch->now_us, payment_ids[i]), true,
                          calls[i], request_of(calls[i])->wait_ms);
    return saga_starts_save(&starts);
}

struct status handle_checkout(struct batch *batch)
{
    struct order **orders = arena_array(batch->arena, batch->count, sizeof(struct order *));
    struct call **calls = arena_array(batch->arena, batch->count, sizeof(struct call *));
    struct cart_set cart;
    size_t count;
    struct status st = make_orders(batch, &cart, orders, calls, &count);
    if (!failed(st))
        st = begin_payments(batch, orders, calls, count);
    if (!failed(st))
        st = news_save_orders(batch, orders, count);
    return failed(st) ? st : store_save_cart(batch->tx, batch->arena, cart.lines, cart.count);
}

// Gives back the holds of calls that got another outcome after all, tells the news and starts the
// sagas.
void place_committed(struct batch *batch)
{
    struct order_service *service = batch->service;
    struct launch *launches = arena_array(batch->arena, batch->count, sizeof(*launches));
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct call *call = batch->calls[i];
        struct placing *placing = placing_of(call);
        if (!placing)
            continue;
        bool inserted = call->deferred || (!failed(call->status) && !call->replayed);
        if (!inserted)
            placing_give_back(placing);
        else
            metric_add(service->counters.placed, 1);
        if (call->deferred)
            launches[count++] = *placing->launch;
    }
    news_committed(batch);
    sagas_launch(service->sagas, launches, count);
}

// A call before its `prepare`, or whose refusal is being kept, holds nothing.
void place_abandoned(struct call *call)
{
    if (placing_of(call))
        placing_give_back(placing_of(call));
}

// Ids for the pool: taken in the database, handed out in memory once they are durable.
struct status handle_reserve_ids(struct batch *batch)
{
    struct order_service *service = batch->service;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        int64_t *ids = arena_array(batch->arena, ID_POOL_REFILL, sizeof(*ids));
        struct status st = ids_take(service->order_ids, batch->tx, ID_POOL_REFILL, ids);
        if (failed(st))
            return st;
        call->own = ids;
        call_reply(call, wire_empty());
    }
    return OK;
}

void reserve_ids_committed(struct batch *batch)
{
    struct order_service *service = batch->service;
    for (size_t i = 0; i < batch->count; i++) {
        const struct call *call = batch->calls[i];
        if (call->settled && !failed(call->status))
            id_pool_put(service->pool, call->own, ID_POOL_REFILL, batch->now_us);
    }
}
