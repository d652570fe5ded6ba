// The cart: lines in our database, names, prices and stock from the product service.
//
// `prepare` finds the user's lines, then asks the product service about their options (and the one to be
// added); `handle` locks the lines again, changes them, and shows the cart with those facts. A line
// that came in between has no facts and shows in the next look at the cart.

#include "services/order/service.h"
#include "services/order/store.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/money.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/rpc/access.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "services/order/wire.h"

enum { CART_LINES_MAX = 100, CART_QUANTITY_MAX = 1000000, ANSWER_MS = 200 };

static int64_t option_to_add(const struct call *call)
{
    if (call->request->descriptor != &baro__order__add_cart_item_request__descriptor)
        return 0;
    return ((const Baro__Order__AddCartItemRequest *)call->request)->option_id;
}

static void stop(struct call *call, struct status st)
{
    st = status_keep(st, call->arena);
    call_refuse(call, st);
    if (status_is_definite(st))
        call_record(call);
    else
        call_finish(call);
}

static void options_described(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct call *call = arg;
    if (failed(st)) {
        stop(call, st);
        return;
    }
    call->own = protobuf_unpack(&baro__product__describe_options_reply__descriptor,
                                reply->payload.len, reply->payload.data, call->arena);
    if (call->own)
        call_ready(call);
    else
        stop(call, refuse(REASON_INTERNAL, "the product service cannot be understood"));
}

static void describe(struct call *call, int64_t *option_ids, size_t count)
{
    struct order_service *service = call->service;
    Baro__Product__DescribeOptionsRequest request;
    baro__product__describe_options_request__init(&request);
    request.option_ids = option_ids;
    request.n_option_ids = count;
    if (count == 0) {
        Baro__Product__DescribeOptionsReply *none = arena_alloc(call->arena, sizeof(*none));
        baro__product__describe_options_reply__init(none);
        call->own = none;
        call_ready(call);
        return;
    }
    int64_t left_ms = (call->deadline_us - clock_monotonic_us()) / US_PER_MS - ANSWER_MS;
    rpc_call(service->product,
             &(struct rpc_request){
                 .method = "baro.product.Product/DescribeOptions",
                 .message = &request.base,
                 .caller = {.role = CALLER_SERVICE},
                 .timeout_ms = left_ms > 1 ? left_ms : 1,
                 .traceparent = call->traceparent,
                 .idempotent = true,
             },
             options_described, call);
}

static void lines_found(void *arg, const struct call *read)
{
    struct call *call = arg;
    if (failed(read->status)) {
        stop(call, read->status);
        return;
    }
    const Baro__Order__CartLines *found = (const Baro__Order__CartLines *)read->reply;
    int64_t *option_ids = arena_array(call->arena, found->n_lines + 1, sizeof(*option_ids));
    size_t count = 0;
    for (size_t i = 0; i < found->n_lines; i++)
        option_ids[count++] = found->lines[i]->option_id;
    if (option_to_add(call))
        option_ids[count++] = option_to_add(call);
    describe(call, option_ids, count);
}

static struct status check_numbers(const struct call *call)
{
    int64_t quantity = 1;
    if (call->request->descriptor == &baro__order__add_cart_item_request__descriptor) {
        if (option_to_add(call) <= 0)
            return invalid("option_id", "must be the id of an option");
        quantity = ((const Baro__Order__AddCartItemRequest *)call->request)->quantity;
    }
    if (call->request->descriptor == &baro__order__set_cart_item_request__descriptor)
        quantity = ((const Baro__Order__SetCartItemRequest *)call->request)->quantity;
    return quantity >= 1 ? OK : invalid("quantity", "must be at least 1");
}

void prepare_cart(struct call *call)
{
    struct order_service *service = call->service;
    struct status st = access_check(call->method->access, call->caller, false);
    if (!failed(st))
        st = check_numbers(call);
    if (failed(st)) {
        call_refuse(call, st);
        call_finish(call);
        return;
    }
    Baro__Order__FindCartItemsRequest find;
    baro__order__find_cart_items_request__init(&find);
    find.user_id = call->caller.user_id;
    dispatcher_run(service->dispatcher, "baro.order.Order/FindCartItems", &find.base, NULL, 0,
                   lines_found, call);
}

static const Baro__Product__OptionFacts *facts_of(const struct call *call, int64_t option_id)
{
    const Baro__Product__DescribeOptionsReply *reply = call->own;
    for (size_t i = 0; i < reply->n_options; i++)
        if (reply->options[i]->option_id == option_id)
            return reply->options[i];
    return NULL;
}

static Baro__Order__CartItem *show_line(struct arena *arena, const struct cart_line *line,
                                        const Baro__Product__OptionFacts *facts)
{
    Baro__Order__CartItem *item = arena_alloc(arena, sizeof(*item));
    baro__order__cart_item__init(item);
    item->id = line->id;
    item->product_id = facts->product_id;
    item->option_id = line->option_id;
    item->product_name = text_copy(arena, facts->product_name);
    item->option_name = text_copy(arena, facts->option_name);
    item->price = facts->price;
    item->quantity = line->quantity;
    return item;
}

// The user's cart as it is now. Options that no longer exist are not shown.
static void show_cart(struct batch *batch, struct call *call, const struct cart_set *set)
{
    Baro__Order__Cart *cart = arena_alloc(batch->arena, sizeof(*cart));
    baro__order__cart__init(cart);
    cart->items = arena_array(batch->arena, set->count + 1, sizeof(*cart->items));
    for (size_t i = 0; i < set->count; i++) {
        const struct cart_line *line = &set->lines[i];
        if (line->user_id != call->caller.user_id || line->quantity == 0)
            continue;
        const Baro__Product__OptionFacts *facts = facts_of(call, line->option_id);
        if (!facts)
            continue;
        Baro__Order__CartItem *item = show_line(batch->arena, line, facts);
        if (!money_multiply(item->price, item->quantity, &item->subtotal) ||
            !money_add(cart->total_amount, item->subtotal, &cart->total_amount)) {
            call_refuse(call, invalid("quantity", "the cart is worth more than we can count"));
            return;
        }
        cart->items[cart->n_items++] = item;
    }
    call_reply(call, &cart->base);
}

static struct status load_users(struct batch *batch, bool locked, size_t room, struct cart_set *set)
{
    struct call *call;
    size_t users = 0, ids = 0;
    int64_t *user_ids = arena_array(batch->arena, batch->count, sizeof(*user_ids));
    int64_t *item_ids = arena_array(batch->arena, batch->count, sizeof(*item_ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        user_ids[users++] = call->caller.user_id;
        if (call->request->descriptor == &baro__order__set_cart_item_request__descriptor)
            item_ids[ids++] = ((const Baro__Order__SetCartItemRequest *)call->request)->item_id;
    }
    struct cart_set found;
    struct status st =
        store_load_cart(batch->tx, batch->arena, user_ids, users, item_ids, ids, locked, &found);
    if (failed(st))
        return st;
    set->count = found.count;
    set->lines = arena_array(batch->arena, found.count + room + 1, sizeof(*set->lines));
    for (size_t i = 0; i < found.count; i++)
        set->lines[i] = found.lines[i];
    return OK;
}

struct status handle_get_cart(struct batch *batch)
{
    struct cart_set set;
    struct call *call;
    struct status st = load_users(batch, false, 0, &set);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        show_cart(batch, call, &set);
    return st;
}

static struct cart_line *find_line(const struct cart_set *set, int64_t user_id, int64_t option_id)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->lines[i].user_id == user_id && set->lines[i].option_id == option_id)
            return &set->lines[i];
    return NULL;
}

static size_t lines_of(const struct cart_set *set, int64_t user_id)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->lines[i].user_id == user_id && set->lines[i].quantity > 0;
    return count;
}

static struct status check_stock(const struct call *call, int64_t option_id, int64_t quantity)
{
    const Baro__Product__OptionFacts *facts = facts_of(call, option_id);
    if (!facts)
        return refuse(REASON_OPTION_NOT_FOUND, "there is no such option");
    if (!facts->orderable)
        return refuse(REASON_PRODUCT_NOT_ORDERABLE, "the product is not for sale now");
    if (quantity > CART_QUANTITY_MAX)
        return invalid("quantity", "must be at most 1,000,000");
    return quantity <= facts->available
               ? OK
               : refuse(REASON_INSUFFICIENT_STOCK, "there is not that much in stock");
}

static struct status add_line(const struct call *call, struct cart_set *set)
{
    const Baro__Order__AddCartItemRequest *request =
        (const Baro__Order__AddCartItemRequest *)call->request;
    int64_t user_id = call->caller.user_id, quantity;
    struct cart_line *line = find_line(set, user_id, request->option_id);
    if (!line && lines_of(set, user_id) >= CART_LINES_MAX)
        return invalid("option_id", "the cart is full");
    if (!money_add(line ? line->quantity : 0, request->quantity, &quantity))
        return invalid("quantity", "is too large");
    struct status st = check_stock(call, request->option_id, quantity);
    if (failed(st))
        return st;
    if (!line) {
        line = &set->lines[set->count++];
        *line = (struct cart_line){.user_id = user_id, .option_id = request->option_id};
    }
    line->quantity = quantity;
    return OK;
}

static struct status set_line(const struct call *call, struct cart_set *set)
{
    const Baro__Order__SetCartItemRequest *request =
        (const Baro__Order__SetCartItemRequest *)call->request;
    struct cart_line *line = cart_set_find(set, request->item_id);
    if (!line)
        return refuse(REASON_CART_ITEM_NOT_FOUND, "there is no such item in your cart");
    if (line->user_id != call->caller.user_id)
        return refuse(REASON_FORBIDDEN, "this is not your cart");
    struct status st = check_stock(call, line->option_id, request->quantity);
    if (!failed(st))
        line->quantity = request->quantity;
    return st;
}

// Changes the lines call by call, writes them, shows each caller the cart.
static struct status change_carts(struct batch *batch,
                                  struct status (*change)(const struct call *call,
                                                          struct cart_set *set))
{
    struct cart_set set;
    struct call *call;
    struct status st = load_users(batch, true, batch->count, &set);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status own = change(call, &set);
        if (failed(own))
            call_refuse(call, own);
    }
    st = store_save_cart(batch->tx, batch->arena, set.lines, set.count);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        show_cart(batch, call, &set);
    return st;
}

struct status handle_add_cart_item(struct batch *batch)
{
    return change_carts(batch, add_line);
}

struct status handle_set_cart_item(struct batch *batch)
{
    return change_carts(batch, set_line);
}

struct status handle_remove_cart_item(struct batch *batch)
{
    struct cart_set set;
    struct call *call;
    size_t count = 0, gone_count = 0;
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    int64_t *gone = arena_array(batch->arena, batch->count, sizeof(*gone));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[count++] = ((const Baro__Order__RemoveCartItemRequest *)call->request)->item_id;
    struct status st = store_load_cart(batch->tx, batch->arena, NULL, 0, ids, count, true, &set);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        int64_t id = ((const Baro__Order__RemoveCartItemRequest *)call->request)->item_id;
        struct cart_line *line = cart_set_find(&set, id);
        if (!line || line->quantity == 0) {
            call_refuse(call, refuse(REASON_CART_ITEM_NOT_FOUND, "there is no such item"));
        } else if (line->user_id != call->caller.user_id) {
            call_refuse(call, refuse(REASON_FORBIDDEN, "this is not your cart"));
        } else {
            line->quantity = 0;
            gone[gone_count++] = id;
            call_reply(call, wire_empty());
        }
    }
    return store_delete_cart(batch->tx, gone, gone_count);
}

static const Baro__Order__FindCartItemsRequest *find_request(const struct call *call)
{
    return (const Baro__Order__FindCartItemsRequest *)call->request;
}

static bool is_wanted(const Baro__Order__FindCartItemsRequest *request,
                      const struct cart_line *line)
{
    if (request->n_item_ids == 0)
        return line->user_id == request->user_id;
    for (size_t i = 0; i < request->n_item_ids; i++)
        if (request->item_ids[i] == line->id)
            return true;
    return false;
}

static void show_lines(struct batch *batch, struct call *call, const struct cart_set *set)
{
    Baro__Order__CartLines *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__order__cart_lines__init(reply);
    reply->lines = arena_array(batch->arena, set->count + 1, sizeof(*reply->lines));
    for (size_t i = 0; i < set->count; i++) {
        const struct cart_line *from = &set->lines[i];
        if (!is_wanted(find_request(call), from))
            continue;
        Baro__Order__CartLine *line = arena_alloc(batch->arena, sizeof(*line));
        baro__order__cart_line__init(line);
        line->id = from->id;
        line->user_id = from->user_id;
        line->option_id = from->option_id;
        line->quantity = from->quantity;
        reply->lines[reply->n_lines++] = line;
    }
    call_reply(call, &reply->base);
}

struct status handle_find_cart_items(struct batch *batch)
{
    struct cart_set set;
    struct call *call;
    size_t users = 0, count = 0, room = 0;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        room += find_request(call)->n_item_ids;
    int64_t *user_ids = arena_array(batch->arena, batch->count, sizeof(*user_ids));
    int64_t *ids = arena_array(batch->arena, room + 1, sizeof(*ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const Baro__Order__FindCartItemsRequest *request = find_request(call);
        if (request->n_item_ids == 0)
            user_ids[users++] = request->user_id;
        for (size_t j = 0; j < request->n_item_ids; j++)
            ids[count++] = request->item_ids[j];
    }
    struct status st =
        store_load_cart(batch->tx, batch->arena, user_ids, users, ids, count, false, &set);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        show_lines(batch, call, &set);
    return st;
}
