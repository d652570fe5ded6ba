// What followers of an order are told, from the database, by whichever replica they ask; and the
// doorbell that tells them when to.

#include "tests/integration/order/life.h"
#include "tests/support/stand.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name

enum { ALICE = 1, BOB = 2 };

static const struct asked *follow(struct life *here, struct as as, int64_t order_id,
                                  const char *after)
{
    Baro__Order__ListOrderEventsRequest request;
    char copy[64];
    baro__order__list_order_events_request__init(&request);
    snprintf(copy, sizeof(copy), "%s", after);
    request.order_id = order_id;
    request.after = copy;
    return ask(here, "ListOrderEvents", as, &request.base);
}

static const char *word(const Baro__Order__OrderEvent *event)
{
    if (!event->step)
        return order_status_name((enum order_status)event->status);
    return event->step->name;
}

// "PENDING PAYING debit_wallet .. PAID", a step that was refused or gave back with its marks.
static const char *told(const Baro__Order__OrderEvents *events)
{
    static char text[2048];
    text[0] = '\0';
    for (size_t i = 0; i < events->n_events; i++) {
        const Baro__Order__OrderEvent *event = events->events[i];
        bool refused = event->step && strcmp(event->step->outcome, "REFUSED") == 0;
        bool back = event->step && strcmp(event->step->op, "compensation") == 0;
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%s%s%s%s", i ? " " : "", back ? "~" : "",
                 word(event), refused ? "!" : "");
    }
    return text;
}

static const Baro__Order__OrderEvents *story(struct life *here, int64_t order_id)
{
    return reply_of(follow(here, as_user(ALICE), order_id, ""));
}

Test(order_follow, a_payment_and_its_refund_are_told_step_by_step)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, SHOP_COUPON), STATUS(PAID));
    cr_assert_str_eq(told(story(here, id)),
                     "PENDING PAYING redeem_coupon debit_wallet confirm_stock PAID");
    cr_assert(!story(here, id)->ended);
    expect_order(cancel(here, as_user(ALICE), id), STATUS(REFUNDED));
    const Baro__Order__OrderEvents *events = story(here, id);
    cr_assert_str_eq(told(events), "PENDING PAYING redeem_coupon debit_wallet confirm_stock PAID "
                                   "REFUNDING refund_wallet restore_coupon return_stock REFUNDED");
    cr_assert(events->ended);
    cr_assert_eq(events->events[0]->order_id, id);
    cr_assert_not_null(events->events[2]->at);
    cr_assert_str_eq(events->events[2]->type, "step");
    cr_assert_str_eq(events->events[2]->step->saga, "pay");
    life_end(here);
}

Test(order_follow, a_refused_payment_shows_what_was_given_back)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    expect_refused(pay(here, as_user(ALICE), id, SHOP_COUPON), REASON_INSUFFICIENT_BALANCE);
    const Baro__Order__OrderEvents *events = story(here, id);
    cr_assert_str_eq(told(events),
                     "PENDING PAYING redeem_coupon debit_wallet! ~redeem_coupon PENDING");
    cr_assert_str_eq(events->events[5]->reason, "INSUFFICIENT_BALANCE");
    shop_set_balance(here->shop, ALICE, 5000);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    cr_assert_str_eq(told(story(here, id)),
                     "PENDING PAYING redeem_coupon debit_wallet! ~redeem_coupon PENDING PAYING "
                     "debit_wallet confirm_stock PAID");
    life_end(here);
}

Test(order_follow, another_replica_goes_on_where_the_first_one_stopped)
{
    struct life *here = life_begin();
    struct life *other = life_begin_beside(here, "order-1");
    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    const Baro__Order__OrderEvents *whole = story(here, id);
    for (size_t i = 0; i < whole->n_events; i++) {
        const Baro__Order__OrderEvents *rest =
            reply_of(follow(other, as_user(ALICE), id, whole->events[i]->id));
        cr_assert_eq(rest->n_events, whole->n_events - i - 1);
        for (size_t j = 0; j < rest->n_events; j++)
            cr_assert_str_eq(rest->events[j]->id, whole->events[i + 1 + j]->id);
    }
    life_end(other);
    life_end(here);
}

Test(order_follow, only_those_who_may_see_the_order_may_follow_it)
{
    struct life *here = life_begin();
    int64_t id = given_order(here, ALICE);
    expect_refused(follow(here, as_user(BOB), id, ""), REASON_FORBIDDEN);
    expect_refused(follow(here, as_nobody(), id, ""), REASON_UNAUTHENTICATED);
    expect_refused(follow(here, as_user(ALICE), id + 1, ""), REASON_ORDER_NOT_FOUND);
    reply_of(follow(here, as_admin(), id, ""));
    expect_invalid(follow(here, as_user(ALICE), id, "nonsense"), "Last-Event-ID");
    life_end(here);
}

// What the first owner had recorded stays told when the second one replays the saga.
Test(order_follow, a_takeover_neither_loses_nor_doubles_a_step)
{
    struct life *here = life_begin_being(GIVES_UP_EARLY);
    shop_set_balance(here->shop, ALICE, 5000);
    shop_silence(here->shop, "ConfirmStock", 0);
    int64_t id = given_order(here, ALICE);
    reply_of(rig_await(start_pay(here, as_user(ALICE), id, SHOP_COUPON, 0)));
    await_status(here, id, STATUS(HELD));
    const Baro__Order__OrderEvents *before = story(here, id);
    cr_assert_str_eq(told(before), "PENDING PAYING redeem_coupon debit_wallet HELD");
    life_kill(here);
    struct life *next = life_begin_beside(here, "order-0");
    life_keep(next);
    await_status(next, id, STATUS(CANCELLED));
    const char *last = before->events[before->n_events - 1]->id;
    const Baro__Order__OrderEvents *rest = reply_of(follow(next, as_user(ALICE), id, last));
    cr_assert_str_eq(told(rest),
                     "~debit_wallet ~redeem_coupon release_stock release_coupon CANCELLED");
    cr_assert(rest->ended);
    const Baro__Order__OrderEvents *whole = story(next, id);
    cr_assert_eq(whole->n_events, before->n_events + rest->n_events);
    life_end(next);
    life_end(here);
}

struct bell {
    pthread_mutex_t lock;
    int64_t order_id;
    char heard[1024];
    const char *wanted;
};

static void hear(void *arg, const Baro__BusMessage *message)
{
    struct bell *bell = arg;
    pthread_mutex_lock(&bell->lock);
    for (size_t i = 0; i < message->n_events; i++) {
        size_t length = strlen(bell->heard);
        if (message->events[i]->key == bell->order_id || bell->order_id == 0)
            snprintf(bell->heard + length, sizeof(bell->heard) - length, "%s ",
                     message->events[i]->kind);
    }
    pthread_mutex_unlock(&bell->lock);
}

static bool has_heard(void *arg)
{
    struct bell *bell = arg;
    pthread_mutex_lock(&bell->lock);
    bool found = strstr(bell->heard, bell->wanted) != NULL;
    pthread_mutex_unlock(&bell->lock);
    return found;
}

static bool await_bell(struct bell *bell, const char *wanted)
{
    bell->wanted = wanted;
    return stand_wait(has_heard, bell, 10000);
}

Test(order_follow, the_doorbell_rings_for_every_change_after_it_is_durable)
{
    static const char *const topics[] = {"order.events"};
    struct life *here = life_begin_being(HOLDS_EARLY);
    struct bell bell = {.lock = PTHREAD_MUTEX_INITIALIZER};
    SCOPED(arena) *arena = arena_create();
    struct subscriber *subscriber;
    cr_assert(!failed(
        subscriber_start(text_printf(arena, "tcp://127.0.0.1:%d", publisher_port(here->publisher)),
                         SHOP_SECRET, hear, &bell, &subscriber)));
    subscriber_set_topics(subscriber, topics, 1);
    // A subscriber hears what is published once it has come through.
    bell.wanted = "order.pending";
    for (int i = 0; i < 100 && !stand_wait(has_heard, &bell, 20); i++)
        given_order(here, ALICE);
    cr_assert(await_bell(&bell, "order.pending"));

    shop_set_balance(here->shop, ALICE, 5000);
    int64_t id = given_order(here, ALICE);
    expect_order(pay(here, as_user(ALICE), id, 0), STATUS(PAID));
    cr_assert(await_bell(&bell, "order.paying order.paid"), "%s", bell.heard);
    expect_order(cancel(here, as_user(ALICE), id), STATUS(REFUNDED));
    cr_assert(await_bell(&bell, "order.refunding order.refunded"), "%s", bell.heard);

    // A saga that comes on while its order stays as it is.
    shop_set_balance(here->shop, BOB, 5000);
    shop_silence(here->shop, "ConfirmStock", 0);
    id = given_order(here, BOB);
    reply_of(rig_await(start_pay(here, as_user(BOB), id, 0, 0)));
    cr_assert(await_bell(&bell, "order.held"), "%s", bell.heard);
    shop_speak(here->shop, "ConfirmStock");

    given_order(here, ALICE);
    life_pass_time(here, 600001);
    life_expire(here);
    cr_assert(await_bell(&bell, "order.expired"), "%s", bell.heard);
    subscriber_destroy(subscriber);
    life_end(here);
}
