// What can be read, and by whom.

#include "tests/integration/order/life.h"
#include "tests/support/database.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name
#define PAYMENT(name) BARO__ORDER__PAYMENT_STATUS__PAYMENT_STATUS_##name

enum { ALICE = 1, BOB = 2 };

Test(order_read, orders_are_shown_to_their_owner_and_to_admins)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    expect_order(get(here, as_user(ALICE), id), STATUS(PENDING));
    expect_order(get(here, as_admin(), id), STATUS(PENDING));
    expect_refused(get(here, as_service(), id), REASON_FORBIDDEN);
    expect_refused(get(here, as_user(BOB), id), REASON_FORBIDDEN);
    expect_refused(get(here, as_nobody(), id), REASON_UNAUTHENTICATED);
    expect_refused(get(here, as_user(ALICE), id + 1), REASON_ORDER_NOT_FOUND);
    expect_refused(pay(here, as_user(BOB), id, 0), REASON_FORBIDDEN);
    expect_refused(pay(here, as_user(BOB), id + 1, 0), REASON_ORDER_NOT_FOUND);
    life_end(here);
}

static const struct asked *list(struct life *here, Baro__Order__OrderStatus status, int32_t size,
                                const char *token)
{
    Baro__Order__ListOrdersRequest request;
    char copy[128];
    baro__order__list_orders_request__init(&request);
    strncpy(copy, token, sizeof(copy) - 1);
    copy[sizeof(copy) - 1] = '\0';
    request.status = status;
    request.page_size = size;
    request.page_token = copy;
    return ask(here, "ListOrders", as_user(ALICE), &request.base);
}

Test(order_read, orders_are_listed_in_pages_newest_first_by_status)
{
    struct life *here = life_begin();
    int64_t ids[5];
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = given_order(here, ALICE);
    given_order(here, BOB);
    expect_order(cancel(here, as_user(ALICE), ids[2]), STATUS(CANCELLED));

    const Baro__Order__OrderPage *page = reply_of(list(here, 0, 3, ""));
    cr_assert_eq(page->n_items, 3);
    cr_assert_eq(page->items[0]->id, ids[4]);
    cr_assert_eq(page->items[2]->id, ids[2]);
    cr_assert_eq(page->items[0]->n_items, 1);
    page = reply_of(list(here, 0, 3, page->next_page_token));
    cr_assert_eq(page->n_items, 2);
    cr_assert_eq(page->items[1]->id, ids[0]);
    cr_assert_str_eq(page->next_page_token, "");

    page = reply_of(list(here, STATUS(CANCELLED), 0, ""));
    cr_assert_eq(page->n_items, 1);
    cr_assert_eq(page->items[0]->id, ids[2]);
    expect_invalid(list(here, 0, 101, ""), "page_size");
    expect_invalid(list(here, 0, -1, ""), "page_size");
    expect_invalid(list(here, 0, 1, "not one"), "page_token");
    expect_invalid(list(here, (Baro__Order__OrderStatus)77, 1, ""), "status");
    life_end(here);
}

Test(order_read, a_page_of_large_orders_is_shorter_and_the_next_goes_on_from_there)
{
    struct life *here = life_begin();
    int64_t ids[3];
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = given_order(here, ALICE);
    SCOPED(db) *db = rig_db(here->rig);
    test_script(db, "INSERT INTO order_item (order_id, option_id, product_id, unit_price, quantity,"
                    "                        line, product_name, option_name)"
                    " SELECT id, 2, 1, 0, 1, 99, repeat('x', 110000), '' FROM orders");
    const Baro__Order__OrderPage *page = reply_of(list(here, 0, 0, ""));
    cr_assert_eq(page->n_items, 2);
    page = reply_of(list(here, 0, 0, page->next_page_token));
    cr_assert_eq(page->n_items, 1);
    cr_expect_eq(page->items[0]->id, ids[0]);
    cr_expect_str_empty(page->next_page_token);
    life_end(here);
}

Test(order_read, every_attempt_to_pay_is_listed_with_its_history)
{
    struct life *here = life_begin();
    int64_t first = given_order(here, ALICE), second = given_order(here, ALICE);
    expect_refused(pay(here, as_user(ALICE), first, 0), REASON_INSUFFICIENT_BALANCE);
    shop_set_balance(here->shop, ALICE, 9000);
    expect_order(pay(here, as_user(ALICE), first, 0), STATUS(PAID));
    expect_order(pay(here, as_user(ALICE), second, 0), STATUS(PAID));

    Baro__Order__ListPaymentsRequest request;
    baro__order__list_payments_request__init(&request);
    request.page_size = 2;
    const Baro__Order__PaymentPage *page =
        reply_of(ask(here, "ListPayments", as_user(ALICE), &request.base));
    cr_assert_eq(page->n_items, 2);
    cr_assert_eq(page->items[0]->order_id, second);
    cr_assert_eq(page->items[1]->order_id, first);
    cr_assert_eq(page->items[1]->status, PAYMENT(COMPLETED));
    request.page_token = page->next_page_token;
    page = reply_of(ask(here, "ListPayments", as_user(ALICE), &request.base));
    cr_assert_eq(page->n_items, 1);
    const Baro__Order__PaymentView *failed_one = page->items[0];
    cr_assert_eq(failed_one->status, PAYMENT(FAILED));
    cr_assert_eq(failed_one->n_history, 2);
    cr_assert_eq(failed_one->history[0]->from, PAYMENT(PENDING));
    cr_assert_eq(failed_one->history[1]->to, PAYMENT(FAILED));
    cr_assert_str_eq(failed_one->history[1]->reason, "INSUFFICIENT_BALANCE");

    Baro__Order__GetPaymentRequest one;
    baro__order__get_payment_request__init(&one);
    one.payment_id = failed_one->id;
    const Baro__Order__PaymentView *read =
        reply_of(ask(here, "GetPayment", as_user(ALICE), &one.base));
    cr_assert_eq(read->order_id, first);
    expect_refused(ask(here, "GetPayment", as_user(BOB), &one.base), REASON_FORBIDDEN);
    one.payment_id = 12345;
    expect_refused(ask(here, "GetPayment", as_user(ALICE), &one.base), REASON_PAYMENT_NOT_FOUND);
    life_end(here);
}

static size_t sagas_in_state(struct life *here, const char *state)
{
    Baro__Order__ListSagasRequest list;
    char word[16];
    baro__order__list_sagas_request__init(&list);
    snprintf(word, sizeof(word), "%s", state);
    list.state = word;
    const Baro__Order__SagaPage *page = reply_of(ask(here, "ListSagas", as_admin(), &list.base));
    for (size_t i = 0; i < page->n_items; i++)
        cr_expect(!*state || !strcmp(page->items[i]->state, state));
    return page->n_items;
}

Test(order_read, sagas_are_found_by_each_of_their_states)
{
    struct life *here = life_begin();
    struct db *db = rig_db(here->rig);
    test_script(db, "INSERT INTO saga (id, order_id, order_version, created_at, updated_at,"
                    "                  lease_until, kind, owner, context, state)"
                    " SELECT n, n, 1, now(), now(), now() + interval '1 hour', 'release', 'nobody',"
                    "        '', n % 4 FROM generate_series(1, 8) AS n");
    static const char *const states[] = {"RUNNING", "COMPENSATING", "COMPLETED", "COMPENSATED"};
    for (size_t i = 0; i < COUNT(states); i++)
        cr_expect_eq(sagas_in_state(here, states[i]), 2, "%s", states[i]);
    cr_expect_eq(sagas_in_state(here, ""), 8);
    test_script(db, "DELETE FROM saga");
    db_destroy(db);
    life_end(here);
}

// Two replicas have blocks of ids of their own.
Test(order_read, attempts_stand_in_the_order_in_which_they_were_made)
{
    enum { ATTEMPTS = 6 };
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    int64_t id = given_order(here, ALICE);
    for (int i = 0; i < ATTEMPTS; i++)
        expect_refused(pay(i % 2 ? here : other, as_user(ALICE), id, 0),
                       REASON_INSUFFICIENT_BALANCE);
    const Baro__Order__OrderView *order = reply_of(get(here, as_user(ALICE), id));
    cr_assert_eq(order->n_payments, ATTEMPTS);
    for (size_t i = 1; i < order->n_payments; i++) {
        cr_assert_gt(order->payments[i]->created_at->us, order->payments[i - 1]->created_at->us);
        cr_assert_gt(order->payments[i]->id, order->payments[i - 1]->id);
    }
    Baro__Order__ListPaymentsRequest request;
    baro__order__list_payments_request__init(&request);
    const Baro__Order__PaymentPage *page =
        reply_of(ask(here, "ListPayments", as_user(ALICE), &request.base));
    for (size_t i = 0; i < page->n_items; i++)
        cr_assert_eq(page->items[i]->id, order->payments[ATTEMPTS - 1 - i]->id);
    life_end(other);
    life_end(here);
}

Test(order_read, a_saga_shows_every_step_it_took)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 100);
    int64_t id = given_order(here, ALICE);
    expect_refused(pay(here, as_user(ALICE), id, SHOP_COUPON), REASON_INSUFFICIENT_BALANCE);

    Baro__Order__GetSagaRequest request;
    baro__order__get_saga_request__init(&request);
    request.saga_id = life_number(here, "SELECT id FROM saga");
    const Baro__Order__SagaView *saga = reply_of(ask(here, "GetSaga", as_admin(), &request.base));
    cr_assert_str_eq(saga->kind, "pay");
    cr_assert_str_eq(saga->state, "COMPENSATED");
    cr_assert_eq(saga->order_id, id);
    cr_assert_eq(saga->n_steps, 3);
    cr_assert_str_eq(saga->steps[0]->name, "redeem_coupon");
    cr_assert_str_eq(saga->steps[0]->outcome, "DONE");
    cr_assert_str_eq(saga->steps[1]->name, "debit_wallet");
    cr_assert_str_eq(saga->steps[1]->outcome, "REFUSED");
    cr_assert_str_eq(saga->steps[2]->name, "redeem_coupon");
    cr_assert_str_eq(saga->steps[2]->op, "compensation");
    expect_refused(ask(here, "GetSaga", as_user(ALICE), &request.base), REASON_FORBIDDEN);
    request.saga_id = 1;
    expect_refused(ask(here, "GetSaga", as_admin(), &request.base), REASON_SAGA_NOT_FOUND);
    life_end(here);
}

Test(order_read, sweepers_learn_which_orders_still_want_their_holds)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t pending = given_order(here, ALICE), paid = given_order(here, ALICE);
    int64_t cancelled = given_order(here, ALICE), ids[] = {pending, paid, cancelled, 42};
    expect_order(pay(here, as_user(ALICE), paid, 0), STATUS(PAID));
    expect_order(cancel(here, as_user(ALICE), cancelled), STATUS(CANCELLED));
    Baro__Order__FindLiveOrdersRequest request;
    baro__order__find_live_orders_request__init(&request);
    request.order_ids = ids;
    request.n_order_ids = COUNT(ids);
    const Baro__Order__FindLiveOrdersReply *reply =
        reply_of(ask(here, "FindLiveOrders", as_service(), &request.base));
    cr_assert_eq(reply->n_order_ids, 2);
    cr_assert(reply->order_ids[0] == pending || reply->order_ids[1] == pending);
    cr_assert(reply->order_ids[0] == paid || reply->order_ids[1] == paid);
    expect_refused(ask(here, "FindLiveOrders", as_admin(), &request.base), REASON_FORBIDDEN);
    life_end(here);
}

// Events show when no transaction of the server that may precede them is still running.
static const Baro__FetchEventsReply *await_events(struct life *here, int64_t after_id, size_t count)
{
    Baro__FetchEventsRequest request;
    baro__fetch_events_request__init(&request);
    request.after_id = after_id;
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;
    for (;;) {
        const Baro__FetchEventsReply *reply =
            reply_of(ask(here, "FetchEvents", as_service(), &request.base));
        if (reply->n_events == count)
            return reply;
        cr_assert(clock_monotonic_us() < until_us, "%zu events", reply->n_events);
    }
}

Test(order_read, every_status_change_is_an_event_and_paid_ones_name_their_items)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    expect_order(cancel(here, as_user(ALICE), id), STATUS(REFUNDED));
    static const char *const KINDS[] = {"order.pending", "order.paying", "order.paid",
                                        "order.refunding", "order.refunded"};
    int64_t paid_at_us = life_number(
        here, "SELECT (extract(epoch FROM paid_at) * 1000000)::bigint FROM orders WHERE id = %lld",
        (long long)id);
    const Baro__FetchEventsReply *reply = await_events(here, 0, COUNT(KINDS));
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        cr_assert_str_eq(reply->events[i]->kind, KINDS[i]);
        cr_assert_eq(reply->events[i]->key, id);
        Baro__Order__OrderChanged *changed = baro__order__order_changed__unpack(
            NULL, reply->events[i]->payload.len, reply->events[i]->payload.data);
        cr_assert_eq(changed->order_id, id);
        if (i == 2 || i == 4)
            cr_assert_eq(changed->n_items, 1);
        cr_assert_eq(changed->paid_at != NULL, i >= 2, "%s", KINDS[i]);
        if (i >= 2)
            cr_assert_eq(changed->paid_at->us, paid_at_us);
        baro__order__order_changed__free_unpacked(changed, NULL);
    }
    await_events(here, reply->events[3]->id, 1);
    life_end(here);
}

// A request of that method in which every field has its default.
static const struct asked *ask_for_nothing(struct life *here,
                                           const ProtobufCMethodDescriptor *method, struct as as)
{
    SCOPED(arena) *arena = arena_create();
    ProtobufCMessage *request = arena_alloc(arena, method->input->sizeof_message);
    protobuf_c_message_init(method->input, request);
    return ask(here, method->name, as, request);
}

Test(order_read, every_method_is_closed_to_strangers)
{
    struct life *here = life_begin();
    const ProtobufCServiceDescriptor *service = &baro__order__order__descriptor;
    for (unsigned i = 0; i < service->n_methods; i++)
        expect_refused(ask_for_nothing(here, &service->methods[i], as_nobody()),
                       REASON_UNAUTHENTICATED);
    life_end(here);
}

Test(order_read, internal_methods_are_closed_to_users_and_admins)
{
    static const char *const CLOSED[] = {"FindLiveOrders", "FetchEvents", "EndSaga",
                                         "RecordSaga",     "ReadOrder",   "FindCartItems",
                                         "ReserveIds"};
    struct life *here = life_begin();
    for (size_t i = 0; i < COUNT(CLOSED); i++) {
        const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(
            &baro__order__order__descriptor, CLOSED[i]);
        expect_refused(ask_for_nothing(here, method, as_user(ALICE)), REASON_FORBIDDEN);
        expect_refused(ask_for_nothing(here, method, as_admin()), REASON_FORBIDDEN);
    }
    life_end(here);
}

// A message between services holds 256 KiB.
Test(order_read, events_come_in_pieces_that_fit_a_message)
{
    enum { LARGE = 12, PIECE = 7 };
    struct life *here = life_begin();
    SCOPED(db) *db = rig_db(here->rig);
    test_script(db, "INSERT INTO outbox (kind, key, payload, txid)"
                    " SELECT 'order.paid', n, convert_to(repeat('x', 30000), 'UTF8'), '0'::xid8"
                    " FROM generate_series(1, 12) n");
    int64_t last_id = 0;
    for (size_t seen = 0; seen < LARGE;) {
        size_t expected = LARGE - seen < PIECE ? LARGE - seen : PIECE;
        const Baro__FetchEventsReply *reply = await_events(here, last_id, expected);
        for (size_t i = 0; i < expected; i++)
            cr_assert_eq(reply->events[i]->key, (int64_t)++seen);
        last_id = reply->events[expected - 1]->id;
    }
    life_end(here);
}
