// What can be read: orders, payments, sagas, events. Nothing here changes anything.

#include "services/order/owner.h"
#include "services/order/service.h"
#include "services/order/wire.h"

#include "lib/base/macros.h"
#include "lib/base/protobuf.h"
#include "lib/bus/outbox.h"
#include "lib/service/page.h"

#include <string.h>

static const Baro__Order__GetOrderRequest *get_request(const struct call *call)
{
    return (const Baro__Order__GetOrderRequest *)call->request;
}

static void show_order(struct batch *batch, struct call *call, const struct order *order)
{
    if (!order) {
        call_refuse(call, refuse(REASON_ORDER_NOT_FOUND, "there is no such order"));
        return;
    }
    struct status st = owner_check(call->caller, order->user_id);
    if (failed(st))
        call_refuse(call, st);
    else
        call_reply(call, &wire_order(batch->arena, order)->base);
}

struct status handle_get_order(struct batch *batch)
{
    struct order_set set;
    struct call *call;
    size_t count = 0;
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[count++] = get_request(call)->order_id;
    if (count == 0)
        return OK;
    struct status st =
        store_load_orders(batch->tx, batch->arena, ids, count, ORDER_LOAD_PARTS, &set);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        show_order(batch, call, order_set_find(&set, get_request(call)->order_id));
    return st;
}

enum { KEYS_MAX = 2 };

// The page that a list was asked for: the rows below these keys.
struct page {
    int64_t size;
    int64_t before[KEYS_MAX];
};

static struct status parse_page(struct call *call, const char *list, size_t keys, int32_t size,
                                const char *token, struct page *page)
{
    *page = (struct page){
        .before = {INT64_MAX, INT64_MAX}
    };
    struct status st = page_size(size, &page->size);
    if (failed(st) || token[0] == '\0')
        return st;
    return page_token_parse(call->arena, token, list, page->before, keys);
}

static struct status list_orders(struct batch *batch, struct call *call)
{
    const Baro__Order__ListOrdersRequest *request =
        (const Baro__Order__ListOrdersRequest *)call->request;
    struct page page;
    struct order_set set;
    int64_t *ids;
    size_t count;
    struct status st =
        parse_page(call, "orders", 1, request->page_size, request->page_token, &page);
    if (!failed(st) && request->status && !order_status_name((enum order_status)request->status)[0])
        st = invalid("status", "is not the status of an order");
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    st = store_list_orders(batch->tx, batch->arena, call->caller.user_id, (int64_t)request->status,
                           page.before[0], page.size + 1, &ids, &count);
    size_t shown = count > (size_t)page.size ? (size_t)page.size : count;
    if (!failed(st))
        st = store_load_orders(batch->tx, batch->arena, ids, shown, ORDER_LOAD_PARTS, &set);
    if (failed(st))
        return st;
    Baro__Order__OrderPage *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__order__order_page__init(reply);
    reply->items = arena_array(batch->arena, set.count + 1, sizeof(*reply->items));
    for (size_t i = set.count; i-- > 0;)
        reply->items[reply->n_items++] = wire_order(batch->arena, &set.orders[i]);
    reply->n_items = shown = page_fit(reply->items, reply->n_items);
    if (count > shown)
        reply->next_page_token = page_token(batch->arena, "orders", &ids[shown - 1], 1);
    call_reply(call, &reply->base);
    return OK;
}

struct status handle_list_orders(struct batch *batch)
{
    struct call *call;
    struct status st = OK;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        st = list_orders(batch, call);
    return st;
}

static const struct payment *find_payment(const struct order_set *set, struct payment_key key)
{
    const struct order *order = order_set_find(set, key.order_id);
    for (size_t i = 0; order && i < order->payment_count; i++)
        if (order->payments[i].id == key.payment_id)
            return &order->payments[i];
    return NULL;
}

static struct status load_orders_of(struct batch *batch, const struct payment_key *keys,
                                    size_t count, struct order_set *set)
{
    int64_t *ids = arena_array(batch->arena, count + 1, sizeof(*ids));
    for (size_t i = 0; i < count; i++)
        ids[i] = keys[i].order_id;
    return store_load_orders(batch->tx, batch->arena, ids, count, ORDER_LOAD_PARTS, set);
}

static struct status list_payments(struct batch *batch, struct call *call)
{
    const Baro__Order__ListPaymentsRequest *request =
        (const Baro__Order__ListPaymentsRequest *)call->request;
    struct page page;
    struct order_set set;
    struct payment_key *keys;
    size_t count;
    struct status st =
        parse_page(call, "payments", 2, request->page_size, request->page_token, &page);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    struct payment_key before = {page.before[0], page.before[1]};
    st = store_list_payments(batch->tx, batch->arena, call->caller.user_id, before, page.size + 1,
                             &keys, &count);
    size_t shown = count > (size_t)page.size ? (size_t)page.size : count;
    if (!failed(st))
        st = load_orders_of(batch, keys, shown, &set);
    if (failed(st))
        return st;
    Baro__Order__PaymentPage *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__order__payment_page__init(reply);
    reply->items = arena_array(batch->arena, shown + 1, sizeof(*reply->items));
    for (size_t i = 0; i < shown; i++)
        reply->items[reply->n_items++] = wire_payment(batch->arena, find_payment(&set, keys[i]));
    if (count > shown)
        reply->next_page_token =
            page_token(batch->arena, "payments",
                       (int64_t[]){keys[shown - 1].order_id, keys[shown - 1].payment_id}, 2);
    call_reply(call, &reply->base);
    return OK;
}

struct status handle_list_payments(struct batch *batch)
{
    struct call *call;
    struct status st = OK;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        st = list_payments(batch, call);
    return st;
}

static void show_payment(struct batch *batch, struct call *call, const struct order_set *set,
                         const struct payment_key *keys, size_t count)
{
    int64_t id = ((const Baro__Order__GetPaymentRequest *)call->request)->payment_id;
    size_t at = 0;
    while (at < count && keys[at].payment_id != id)
        at++;
    const struct payment *payment = at < count ? find_payment(set, keys[at]) : NULL;
    if (!payment) {
        call_refuse(call, refuse(REASON_PAYMENT_NOT_FOUND, "there is no such payment"));
        return;
    }
    const struct order *order = order_set_find(set, payment->order_id);
    struct status st = owner_check(call->caller, order->user_id);
    if (failed(st))
        call_refuse(call, st);
    else
        call_reply(call, &wire_payment(batch->arena, payment)->base);
}

struct status handle_get_payment(struct batch *batch)
{
    struct order_set set;
    struct payment_key *keys;
    struct call *call;
    size_t id_count = 0, count;
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[id_count++] = ((const Baro__Order__GetPaymentRequest *)call->request)->payment_id;
    if (id_count == 0)
        return OK;
    struct status st = store_find_payments(batch->tx, batch->arena, ids, id_count, &keys, &count);
    if (!failed(st))
        st = load_orders_of(batch, keys, count, &set);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        show_payment(batch, call, &set, keys, count);
    return st;
}

// -1 for "any"; false for a word that is no state.
static bool parse_state(const char *word, int64_t *state)
{
    *state = -1;
    if (word[0] == '\0')
        return true;
    for (int i = SAGA_RUNNING; i <= SAGA_COMPENSATED; i++)
        if (strcmp(word, saga_state_name((enum saga_state)i)) == 0)
            *state = i;
    return *state >= 0;
}

static struct status list_sagas(struct batch *batch, struct call *call)
{
    const Baro__Order__ListSagasRequest *request =
        (const Baro__Order__ListSagasRequest *)call->request;
    struct page page;
    struct saga_set set;
    int64_t state;
    struct status st = parse_page(call, "sagas", 1, request->page_size, request->page_token, &page);
    if (!failed(st) && !parse_state(request->state, &state))
        st = invalid("state", "must be RUNNING, COMPENSATING, COMPLETED or COMPENSATED");
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    struct saga_query query = {state, request->parked, request->order_id, page.before[0],
                               page.size + 1};
    st = store_list_sagas(batch->tx, batch->arena, &query, &set);
    if (failed(st))
        return st;
    // The set is in ascending order and holds the row after the page, if any, first.
    size_t beyond = set.count > (size_t)page.size ? 1 : 0;
    Baro__Order__SagaPage *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__order__saga_page__init(reply);
    reply->items = arena_array(batch->arena, set.count + 1, sizeof(*reply->items));
    for (size_t i = set.count; i-- > beyond;)
        reply->items[reply->n_items++] = wire_saga(batch->arena, &set.rows[i]);
    if (beyond)
        reply->next_page_token = page_token(batch->arena, "sagas", &set.rows[beyond].id, 1);
    call_reply(call, &reply->base);
    return OK;
}

struct status handle_list_sagas(struct batch *batch)
{
    struct call *call;
    struct status st = OK;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        st = list_sagas(batch, call);
    return st;
}

struct status handle_get_saga(struct batch *batch)
{
    struct saga_set set;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        int64_t id = ((const Baro__Order__GetSagaRequest *)call->request)->saga_id;
        struct status st = store_load_sagas(batch->tx, batch->arena, &id, 1, &set);
        if (failed(st))
            return st;
        if (set.count == 0)
            call_refuse(call, refuse(REASON_SAGA_NOT_FOUND, "there is no such saga"));
        else
            call_reply(call, &wire_saga(batch->arena, &set.rows[0])->base);
    }
    return OK;
}

struct status handle_find_live_orders(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const Baro__Order__FindLiveOrdersRequest *request =
            (const Baro__Order__FindLiveOrdersRequest *)call->request;
        Baro__Order__FindLiveOrdersReply *reply = arena_alloc(batch->arena, sizeof(*reply));
        baro__order__find_live_orders_reply__init(reply);
        struct status st =
            store_find_live(batch->tx, batch->arena, request->order_ids, request->n_order_ids,
                            &reply->order_ids, &reply->n_order_ids);
        if (failed(st))
            return st;
        call_reply(call, &reply->base);
    }
    return OK;
}

enum { EVENTS_MAX = 500 };

struct status handle_fetch_events(struct batch *batch)
{
    struct order_service *service = batch->service;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const Baro__FetchEventsRequest *request = (const Baro__FetchEventsRequest *)call->request;
        bool modest = request->limit > 0 && request->limit < EVENTS_MAX;
        Baro__FetchEventsReply *reply = arena_alloc(batch->arena, sizeof(*reply));
        baro__fetch_events_reply__init(reply);
        struct status st =
            outbox_read(service->events, batch->tx, batch->arena, request->after_id,
                        modest ? request->limit : EVENTS_MAX, &reply->events, &reply->n_events);
        if (failed(st))
            return st;
        reply->n_events = page_fit(reply->events, reply->n_events);
        call_reply(call, &reply->base);
    }
    return OK;
}
