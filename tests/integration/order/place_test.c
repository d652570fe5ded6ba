// Placing orders: what is refused, what is held meanwhile, and the cart.

#include "tests/integration/order/life.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/support/replicas.h"

#include <criterion/criterion.h>
#include <time.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name

enum { ALICE = 1, BOB = 2, LINES_MAX = 8 };

// An order of several lines.
static const struct asked *place_lines(struct life *here, const int64_t (*wanted)[2], size_t count)
{
    Baro__Order__PlaceOrderRequest request;
    Baro__Order__OrderLine lines[LINES_MAX], *pointers[LINES_MAX];
    baro__order__place_order_request__init(&request);
    for (size_t i = 0; i < count; i++) {
        baro__order__order_line__init(&lines[i]);
        lines[i].option_id = wanted[i][0];
        lines[i].quantity = wanted[i][1];
        pointers[i] = &lines[i];
    }
    request.items = pointers;
    request.n_items = count;
    return ask(here, "PlaceOrder", as_user(ALICE), &request.base);
}

Test(order_place, the_same_option_twice_is_merged)
{
    struct life *here = life_begin();
    const int64_t wanted[][2] = {
        {1,  2},
        {20, 1},
        {1,  3}
    };
    const Baro__Order__OrderView *order =
        expect_order(place_lines(here, wanted, COUNT(wanted)), STATUS(PENDING));
    cr_assert_eq(order->n_items, 2);
    cr_assert_eq(order->items[0]->quantity, 5);
    cr_assert_eq(order->items[0]->subtotal, 5000);
    cr_assert_eq(order->total_amount, 6000);
    cr_assert_eq(shop_available(here->shop, 1), 95);
    life_end(here);
}

Test(order_place, an_order_that_cannot_be_written_gives_its_holds_back)
{
    struct life *here = life_begin();
    SCOPED(db) *db = rig_db(here->rig);
    static const struct statement bar = {
        "bar", "ALTER TABLE orders ADD CONSTRAINT bar CHECK (total_amount <> 2000)"};
    cr_assert(!failed(db_execute(db, &bar, NO_PARAMS, NULL)));
    const struct asked *asked = place(here, as_user(ALICE), 1, 2, SHOP_COUPON);
    cr_assert_neq(asked->code, STATUS_OK);
    await_number(here, 0, "SELECT count(*) FROM orders");
    for (int i = 0; i < 2000 && shop_available(here->shop, 1) < SHOP_STOCK; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK);
    cr_assert_eq(shop_calls(here->shop, "RestoreCoupon"), 1);
    life_end(here);
}

Test(order_place, bad_orders_name_the_field_and_hold_nothing)
{
    struct life *here = life_begin();
    const int64_t none[][2] =
        {
            {1, 0}
    },
                  negative[][2] = {{1, -1}}, many[][2] = {{1, 11}};
    const int64_t merged[][2] =
        {
            {1, 6},
            {1, 5}
    },
                  zero[][2] = {{0, 1}};
    const int64_t sum[][2] = {
        {1,  10},
        {11, 10},
        {21, 10},
        {31, 1 }
    };
    expect_invalid(place_lines(here, none, 0), "items");
    expect_invalid(place_lines(here, none, 1), "items.quantity");
    expect_invalid(place_lines(here, negative, 1), "items.quantity");
    expect_invalid(place_lines(here, many, 1), "items.quantity");
    expect_invalid(place_lines(here, merged, 2), "items");
    expect_invalid(place_lines(here, zero, 1), "items.option_id");
    expect_invalid(place_lines(here, sum, 4), "items");
    expect_invalid(place(here, as_user(ALICE), 1, 1, -1), "user_coupon_id");
    expect_refused(place(here, as_nobody(), 1, 1, 0), REASON_UNAUTHENTICATED);
    cr_assert_eq(shop_calls(here->shop, "HoldStock"), 0);
    life_end(here);
}

Test(order_place, ten_of_one_product_is_the_limit_over_all_its_options)
{
    struct life *here = life_begin();
    const int64_t wanted[][2] = {
        {1, 6},
        {2, 5}
    };
    expect_invalid(place_lines(here, wanted, COUNT(wanted)), "items");
    await_number(here, 0, "SELECT count(*) FROM orders");
    while (shop_available(here->shop, 1) != SHOP_STOCK)
        cr_assert_eq(shop_calls(here->shop, "HoldStock"), 1);
    life_end(here);
}

Test(order_place, short_stock_and_unknown_options_are_refused)
{
    struct life *here = life_begin();
    for (int i = 0; i < SHOP_STOCK / 10; i++)
        expect_order(place(here, as_user(ALICE), 1, 10, 0), STATUS(PENDING));
    expect_refused(place(here, as_user(BOB), 1, 1, 0), REASON_INSUFFICIENT_STOCK);
    expect_refused(place(here, as_user(BOB), 95, 1, 0), REASON_OPTION_NOT_FOUND);
    life_end(here);
}

Test(order_place, a_refused_coupon_gives_the_stock_back)
{
    struct life *here = life_begin();
    expect_refused(place(here, as_user(ALICE), 1, 2, SHOP_BAD_COUPON), REASON_COUPON_NOT_USABLE);
    while (shop_available(here->shop, 1) != SHOP_STOCK)
        cr_assert_eq(shop_calls(here->shop, "HoldStock"), 1);
    cr_assert_eq(life_number(here, "SELECT count(*) FROM orders"), 0);
    life_end(here);
}

Test(order_place, a_hold_whose_answer_never_came_is_given_back)
{
    struct life *here = life_begin();
    shop_silence(here->shop, "HoldStock", 0);
    const struct asked *asked = place(here, as_user(ALICE), 1, 2, 0);
    cr_assert_eq(asked->code, STATUS_UNAVAILABLE);
    while (shop_early_release(here->shop) != 1) // named, so that a hold on its way is waited for
        cr_assert_eq(life_number(here, "SELECT count(*) FROM orders"), 0);
    life_end(here);
}

static const Baro__Order__Cart *add(struct life *here, int64_t user_id, int64_t option_id,
                                    int64_t quantity)
{
    Baro__Order__AddCartItemRequest request;
    baro__order__add_cart_item_request__init(&request);
    request.option_id = option_id;
    request.quantity = quantity;
    return reply_of(ask(here, "AddCartItem", as_user(user_id), &request.base));
}

static const Baro__Order__Cart *cart_of(struct life *here, int64_t user_id)
{
    Baro__Empty request;
    baro__empty__init(&request);
    return reply_of(ask(here, "GetCart", as_user(user_id), &request.base));
}

static const struct asked *set(struct life *here, int64_t user_id, int64_t item_id,
                               int64_t quantity)
{
    Baro__Order__SetCartItemRequest request;
    baro__order__set_cart_item_request__init(&request);
    request.item_id = item_id;
    request.quantity = quantity;
    return ask(here, "SetCartItem", as_user(user_id), &request.base);
}

static const struct asked *drop(struct life *here, int64_t user_id, int64_t item_id)
{
    Baro__Order__RemoveCartItemRequest request;
    baro__order__remove_cart_item_request__init(&request);
    request.item_id = item_id;
    return ask(here, "RemoveCartItem", as_user(user_id), &request.base);
}

Test(order_cart, lines_merge_and_show_prices_and_totals)
{
    struct life *here = life_begin();
    cr_assert_eq(cart_of(here, ALICE)->n_items, 0);
    add(here, ALICE, 1, 2);
    add(here, BOB, 1, 9);
    add(here, ALICE, 20, 1);
    const Baro__Order__Cart *cart = add(here, ALICE, 1, 3);
    cr_assert_eq(cart->n_items, 2);
    cr_assert_eq(cart->items[0]->quantity, 5);
    cr_assert_eq(cart->items[0]->subtotal, 5000);
    cr_assert_str_eq(cart->items[0]->product_name, "product 1");
    cr_assert_eq(cart->total_amount, 6000);
    cart = cart_of(here, ALICE);
    cr_assert_eq(cart->total_amount, 6000);
    cr_assert_eq(cart->items[1]->option_id, 20);
    life_end(here);
}

Test(order_cart, more_than_the_stock_is_refused_also_after_a_merge)
{
    struct life *here = life_begin();
    add(here, ALICE, 1, SHOP_STOCK);
    Baro__Order__AddCartItemRequest request;
    baro__order__add_cart_item_request__init(&request);
    request.option_id = 1;
    request.quantity = 1;
    expect_refused(ask(here, "AddCartItem", as_user(ALICE), &request.base),
                   REASON_INSUFFICIENT_STOCK);
    request.option_id = 95;
    expect_refused(ask(here, "AddCartItem", as_user(ALICE), &request.base),
                   REASON_OPTION_NOT_FOUND);
    request.quantity = 0;
    expect_invalid(ask(here, "AddCartItem", as_user(ALICE), &request.base), "quantity");
    life_end(here);
}

Test(order_cart, a_line_has_at_most_a_million_pieces_whatever_is_in_stock)
{
    enum { MANY = 1000001 };
    struct life *here = life_begin();
    int64_t item = add(here, ALICE, 1, 2)->items[0]->id;
    Baro__Order__AddCartItemRequest request;
    baro__order__add_cart_item_request__init(&request);
    request.option_id = 20;
    request.quantity = MANY;
    expect_invalid(ask(here, "AddCartItem", as_user(ALICE), &request.base), "quantity");
    expect_invalid(set(here, ALICE, item, MANY), "quantity");
    life_end(here);
}

Test(order_cart, two_replicas_that_add_the_same_option_at_once_add_no_more_than_the_stock)
{
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    Baro__Order__AddCartItemRequest request;
    baro__order__add_cart_item_request__init(&request);
    request.option_id = 1;
    request.quantity = SHOP_STOCK - 1;
    struct gate *gate = gate_close(here->place.url, "cart_item", "INSERT");
    struct asked *asked[] = {
        rig_start(here->rig, "AddCartItem", as_user(ALICE), &request.base),
        rig_start(other->rig, "AddCartItem", as_user(ALICE), &request.base),
    };
    gate_await(gate, COUNT(asked));
    gate_open(gate);
    size_t added = 0;
    for (size_t i = 0; i < COUNT(asked); i++)
        if (rig_await(asked[i])->code == STATUS_OK)
            added++;
        else
            expect_refused(asked[i], REASON_INSUFFICIENT_STOCK);
    cr_assert_eq(added, 1);
    cr_assert_eq(cart_of(here, ALICE)->items[0]->quantity, SHOP_STOCK - 1);
    life_end(other);
    life_end(here);
}

Test(order_cart, an_item_is_added_once_under_one_key)
{
    struct life *here = life_begin();
    Baro__Order__AddCartItemRequest request;
    baro__order__add_cart_item_request__init(&request);
    request.option_id = 1;
    request.quantity = 2;
    for (int i = 0; i < 3; i++) {
        const Baro__Order__Cart *cart =
            reply_of(ask(here, "AddCartItem", as_user_with_key(ALICE, "k"), &request.base));
        cr_assert_eq(cart->items[0]->quantity, 2);
    }
    life_end(here);
}

Test(order_cart, only_the_owner_changes_an_item)
{
    struct life *here = life_begin();
    int64_t item = add(here, ALICE, 1, 2)->items[0]->id;
    expect_refused(set(here, BOB, item, 3), REASON_FORBIDDEN);
    expect_refused(drop(here, BOB, item), REASON_FORBIDDEN);
    expect_refused(set(here, ALICE, item + 1, 3), REASON_CART_ITEM_NOT_FOUND);
    expect_refused(set(here, ALICE, item, SHOP_STOCK + 1), REASON_INSUFFICIENT_STOCK);
    expect_invalid(set(here, ALICE, item, 0), "quantity");
    const Baro__Order__Cart *cart = reply_of(set(here, ALICE, item, 3));
    cr_assert_eq(cart->items[0]->quantity, 3);
    reply_of(drop(here, ALICE, item));
    expect_refused(drop(here, ALICE, item), REASON_CART_ITEM_NOT_FOUND);
    cr_assert_eq(cart_of(here, ALICE)->n_items, 0);
    life_end(here);
}

static const struct asked *order_items(struct life *here, int64_t user_id, int64_t *items,
                                       size_t count)
{
    Baro__Order__PlaceOrderRequest request;
    baro__order__place_order_request__init(&request);
    request.cart_item_ids = items;
    request.n_cart_item_ids = count;
    return ask(here, "PlaceOrder", as_user(user_id), &request.base);
}

Test(order_cart, ordered_lines_leave_the_cart_with_the_order)
{
    struct life *here = life_begin();
    add(here, ALICE, 1, 2);
    const Baro__Order__Cart *cart = add(here, ALICE, 20, 1);
    int64_t items[] = {cart->items[0]->id, cart->items[0]->id, cart->items[1]->id};
    expect_refused(order_items(here, BOB, items, 1), REASON_FORBIDDEN);
    expect_invalid(order_items(here, ALICE, items, 2), "cart_item_ids");
    const Baro__Order__OrderView *order =
        expect_order(order_items(here, ALICE, items, 1), STATUS(PENDING));
    cr_assert_eq(order->total_amount, 2000);
    cart = cart_of(here, ALICE);
    cr_assert_eq(cart->n_items, 1);
    cr_assert_eq(cart->items[0]->option_id, 20);
    expect_refused(order_items(here, ALICE, items, 1), REASON_CART_ITEM_NOT_FOUND);
    life_end(here);
}

Test(order_cart, items_and_cart_items_exclude_each_other_and_one_is_needed)
{
    struct life *here = life_begin();
    SCOPED(arena) *arena = arena_create();
    int64_t item = add(here, ALICE, 1, 2)->items[0]->id;
    Baro__Order__PlaceOrderRequest *request = order_request(arena, 1, 2, 0);
    request->cart_item_ids = &item;
    request->n_cart_item_ids = 1;
    expect_invalid(ask(here, "PlaceOrder", as_user(ALICE), &request->base), "cart_item_ids");
    request->n_items = request->n_cart_item_ids = 0;
    expect_invalid(ask(here, "PlaceOrder", as_user(ALICE), &request->base), "items");
    cr_assert_eq(shop_calls(here->shop, "HoldStock"), 0);
    life_end(here);
}

Test(order_cart, a_checkout_takes_its_lines_out_of_the_cart_also_when_it_fails)
{
    struct life *here = life_begin();
    int64_t first = add(here, ALICE, 1, 2)->items[0]->id;
    int64_t second = add(here, ALICE, 20, 1)->items[1]->id;
    Baro__Order__PlaceOrderRequest request;
    baro__order__place_order_request__init(&request);
    request.cart_item_ids = &first;
    request.n_cart_item_ids = 1;
    request.wait_ms = 15000;
    expect_refused(ask(here, "Checkout", as_user(ALICE), &request.base),
                   REASON_INSUFFICIENT_BALANCE);
    cr_assert_eq(cart_of(here, ALICE)->n_items, 1);
    shop_set_balance(here->shop, ALICE, 5000);
    request.cart_item_ids = &second;
    expect_order(ask(here, "Checkout", as_user(ALICE), &request.base), STATUS(PAID));
    cr_assert_eq(cart_of(here, ALICE)->n_items, 0);
    life_end(here);
}

Test(order_cart, a_line_that_is_ordered_twice_at_once_is_ordered_once)
{
    struct life *here = life_begin();
    int64_t item = add(here, ALICE, 1, 2)->items[0]->id;
    Baro__Order__PlaceOrderRequest request;
    baro__order__place_order_request__init(&request);
    request.cart_item_ids = &item;
    request.n_cart_item_ids = 1;
    struct asked *asked[8];
    int placed = 0;
    for (size_t i = 0; i < COUNT(asked); i++)
        asked[i] = rig_start(here->rig, "PlaceOrder", as_user(ALICE), &request.base);
    for (size_t i = 0; i < COUNT(asked); i++)
        placed += rig_await(asked[i])->code == STATUS_OK;
    cr_assert_eq(placed, 1);
    while (shop_available(here->shop, 1) != SHOP_STOCK - 2)
        cr_assert_eq(life_number(here, "SELECT count(*) FROM orders"), 1);
    life_end(here);
}

// The order of a cart line of `had` pieces, which has `has` when it comes to be taken out of the cart.
static const struct asked *order_line_that_changes(struct life *here, int64_t had, int64_t has)
{
    static const struct statement change = {
        "change", "UPDATE cart_item SET quantity = $2::bigint WHERE id = $1::bigint"};
    int64_t item = add(here, ALICE, 1, had)->items[0]->id;
    Baro__Order__PlaceOrderRequest request;
    baro__order__place_order_request__init(&request);
    request.cart_item_ids = &item;
    request.n_cart_item_ids = 1;
    SCOPED(db) *db = rig_db(here->rig);
    cr_assert(!failed(db_begin(db)));
    cr_assert(!failed(db_execute(db, &change, PARAMS(p_int64(item), p_int64(has)), NULL)));
    struct asked *asked = rig_start(here->rig, "PlaceOrder", as_user(ALICE), &request.base);
    rig_await_blocked(here->rig, 1);
    cr_assert(!failed(db_commit(db)));
    return rig_await(asked);
}

Test(order_cart, what_comes_to_a_line_while_it_is_ordered_stays_in_the_cart)
{
    struct life *here = life_begin();
    const Baro__Order__OrderView *order =
        expect_order(order_line_that_changes(here, 2, 5), STATUS(PENDING));
    cr_assert_eq(order->items[0]->quantity, 2);
    cr_assert_eq(cart_of(here, ALICE)->items[0]->quantity, 3);
    life_end(here);
}

Test(order_cart, a_line_that_has_less_by_the_time_it_is_ordered_is_not_ordered)
{
    struct life *here = life_begin();
    expect_refused(order_line_that_changes(here, 5, 2), REASON_CART_ITEM_NOT_FOUND);
    cr_assert_eq(cart_of(here, ALICE)->items[0]->quantity, 2);
    while (shop_available(here->shop, 1) != SHOP_STOCK)
        cr_assert_eq(life_number(here, "SELECT count(*) FROM orders"), 0);
    life_end(here);
}

static const struct asked *place_with_key(struct life *here, int64_t user_id, const char *key)
{
    return place(here, as_user_with_key(user_id, key), 1, 1, 0);
}

Test(order_place, a_user_holds_stock_unpaid_for_so_many_orders_and_no_more)
{
    struct life *here = life_begin();
    here->settings.open_orders_max = 3;
    shop_set_balance(here->shop, ALICE, 100000);
    const Baro__Order__OrderView *first =
        expect_order(place_with_key(here, ALICE, "1"), STATUS(PENDING));
    const Baro__Order__OrderView *second =
        expect_order(place_with_key(here, ALICE, "2"), STATUS(PENDING));
    expect_order(place_with_key(here, ALICE, "3"), STATUS(PENDING));
    expect_refused(place_with_key(here, ALICE, "4"), REASON_RATE_LIMITED);
    expect_refused(checkout(here, as_user_with_key(ALICE, "5"), 0), REASON_RATE_LIMITED);
    expect_order(place_with_key(here, BOB, "1"), STATUS(PENDING));
    for (int i = 0; i < 2000 && shop_available(here->shop, 1) != SHOP_STOCK - 4; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    cr_assert_eq(shop_available(here->shop, 1), SHOP_STOCK - 4, "what was refused holds nothing");

    expect_order(cancel(here, as_user_with_key(ALICE, "6"), first->id), STATUS(CANCELLED));
    expect_order(place_with_key(here, ALICE, "4"), STATUS(PENDING)); // its refusal was not kept
    expect_refused(place_with_key(here, ALICE, "7"), REASON_RATE_LIMITED);
    expect_order(pay(here, as_user_with_key(ALICE, "8"), second->id, 0), STATUS(PAID));
    expect_order(place_with_key(here, ALICE, "7"), STATUS(PENDING));
    life_end(here);
}

Test(order_place, many_orders_at_once_are_counted_each)
{
    enum { AT_ONCE = 20, MOST = 5 };
    struct life *here = life_begin();
    struct asked *asked[AT_ONCE];
    int placed = 0;
    here->settings.open_orders_max = MOST;
    SCOPED(arena) *arena = arena_create();
    const Baro__Order__PlaceOrderRequest *request = order_request(arena, 1, 1, 0);
    for (int i = 0; i < AT_ONCE; i++)
        asked[i] = rig_start(here->rig, "PlaceOrder", as_user(ALICE), &request->base);
    for (int i = 0; i < AT_ONCE; i++) {
        if (rig_await(asked[i])->code == STATUS_OK)
            placed++;
        else
            expect_refused(asked[i], REASON_RATE_LIMITED);
    }
    cr_assert_eq(placed, MOST);
    await_number(here, MOST, "SELECT count(*) FROM orders");
    life_end(here);
}

Test(order_place, orders_at_two_replicas_at_once_are_counted_each)
{
    struct life *here = life_begin(), *there = life_begin_beside(here, "order-1");
    here->settings.open_orders_max = there->settings.open_orders_max = 1;
    SCOPED(arena) *arena = arena_create();
    const Baro__Order__PlaceOrderRequest *request = order_request(arena, 1, 1, 0);
    struct gate *gate = gate_close(here->place.url, "order_pending", "INSERT");
    struct asked *asked[] = {
        rig_start(here->rig, "PlaceOrder", as_user(ALICE), &request->base),
        rig_start(there->rig, "PlaceOrder", as_user(ALICE), &request->base),
    };
    gate_await(gate, COUNT(asked)); // one has counted and written, and is not durable
    gate_open(gate);
    const struct asked *first = rig_await(asked[0]), *second = rig_await(asked[1]);
    expect_order(first->code == STATUS_OK ? first : second, STATUS(PENDING));
    expect_refused(first->code == STATUS_OK ? second : first, REASON_RATE_LIMITED);
    await_number(here, 1, "SELECT count(*) FROM orders");
    life_end(there);
    life_end(here);
}

// The order's database may be hours ahead of that which holds the stock.
Test(order_place, databases_need_not_agree_on_the_time)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    life_pass_time(here, 2 * 3600 * 1000);
    const Baro__Order__OrderView *order =
        expect_order(place_with_key(here, ALICE, "1"), STATUS(PENDING));
    int64_t waits_us = order->expires_at->us - order->created_at->us;
    cr_assert(waits_us > 590 * US_PER_S && waits_us <= 600 * US_PER_S);
    expect_order(pay(here, as_user_with_key(ALICE, "2"), order->id, 0), STATUS(PAID));
    expect_order(checkout(here, as_user_with_key(ALICE, "3"), 0), STATUS(PAID));
    life_end(here);
}
