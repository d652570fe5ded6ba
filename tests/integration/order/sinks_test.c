// One courier or two between a real outbox and a sink of the test's making, on a clock that the test
// moves: what is delivered, in which order, and what becomes of what is not.

#include "services/order/courier.h"

#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/bus/outbox.h"
#include "proto/order.pb-c.h"
#include "tests/support/database.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>

extern const struct migration order_migrations[];
extern const size_t order_migration_count;

enum { ORDERS = 10, EVENTS_MAX = 500, LOT = 20, HOUR_S = 3600 };

static const struct delivery_rules RULES = {
    .retry_first_ms = 1000, .tries_max = 12, .give_up_ms = 24 * HOUR_S * 1000};

// A sink that takes what it is given, but for the trouble that it has.
static struct {
    bool down;
    bool refuses_all;
    int64_t poisoned; // the order whose events it chokes on
    int64_t refused;  // the order whose events it refuses
    int64_t rest_ms;  // what it asks for, once
    void (*hook)(void);
    int asked;
    size_t taken;
    int64_t ids[EVENTS_MAX], keys[EVENTS_MAX];
} sink;

static const char *url;
static int64_t ahead_s;

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

static enum verdict judge(const struct delivery *item)
{
    int64_t key = item->row.event->key;
    if (sink.down || key == sink.poisoned)
        return UNREACHABLE;
    if (sink.refuses_all || key == sink.refused)
        return REFUSED;
    cr_assert_lt(sink.taken, EVENTS_MAX);
    sink.ids[sink.taken] = item->row.event->id;
    sink.keys[sink.taken++] = key;
    return DELIVERED;
}

static void deliver(void *context, struct lot *lot)
{
    (void)context;
    for (size_t i = 0; i < lot->count && !lot_is_hopeless(lot); i++) {
        if (lot_is_blocked(lot, i))
            continue;
        sink.asked++;
        lot->items[i]->verdict = judge(lot->items[i]);
        lot->items[i]->error = "trouble";
    }
    lot->rest_ms = sink.rest_ms;
    sink.rest_ms = 0;
    if (sink.hook)
        sink.hook();
}

static struct courier *given_courier(const char *owner)
{
    return courier_create(
        &(struct sink_port){
            .name = "webhook", .lot_max = LOT, .timeout_ms = 5000, .deliver = deliver},
        &RULES, owner);
}

static void run(struct courier *courier)
{
    SCOPED(db) *db = db_create(url, "courier");
    expect_ok(courier_run(courier, db));
}

static void pass_time(int64_t seconds)
{
    SCOPED(arena) *arena = arena_create();
    struct rig rig = {.url = url};
    ahead_s += seconds;
    rig_shift_clock(&rig, text_printf(arena, "%lld seconds", (long long)ahead_s));
}

static void given_event(int64_t order_id)
{
    SCOPED(db) *db = db_create(url, "orders");
    SCOPED(arena) *arena = arena_create();
    Baro__Order__OrderChanged order;
    baro__order__order_changed__init(&order);
    order.order_id = order_id;
    Baro__Event event;
    baro__event__init(&event);
    event.kind = text_copy(arena, "order.paid");
    event.key = order_id;
    event.payload.data = protobuf_pack(&order.base, arena, &event.payload.len);
    const Baro__Event *events[] = {&event};
    expect_ok(db_begin(db));
    expect_ok(outbox_append(db, events, 1));
    expect_ok(db_commit(db));
}

// One event of each order, so many times.
static void given_events(int times)
{
    for (int i = 0; i < times; i++)
        for (int64_t order_id = 1; order_id <= ORDERS; order_id++)
            given_event(order_id);
}

static int64_t number(const char *sql)
{
    return test_number(url, sql);
}

static int64_t rows_in_state(enum sink_event_state state)
{
    SCOPED(arena) *arena = arena_create();
    return number(
        text_printf(arena, "SELECT count(*) FROM sink_event WHERE state = %d", (int)state));
}

// Each event once, and those of one order in their order.
static void expect_all_taken(size_t count)
{
    cr_assert_eq(sink.taken, count, "%zu of %zu were taken", sink.taken, count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(sink.ids[i], sink.ids[j]);
            if (sink.keys[i] == sink.keys[j])
                cr_assert_gt(sink.ids[i], sink.ids[j]);
        }
}

static struct courier *first;

static void set_up(void)
{
    url = rig_database("sinks", order_migrations, order_migration_count);
    first = given_courier("first");
    run(first);
}

static void tear_down(void)
{
    courier_destroy(first);
}

TestSuite(sinks, .init = set_up, .fini = tear_down, .timeout = 60);

Test(sinks, get_every_event_once_and_those_of_an_order_in_their_order)
{
    given_events(5);
    run(first);
    expect_all_taken(5 * ORDERS);
    run(first);
    expect_all_taken(5 * ORDERS);
    cr_expect_eq(number("SELECT count(*) FROM sink_event"), 0);
}

Test(sinks, that_are_new_get_what_happens_from_then_on)
{
    given_events(1);
    SCOPED(db) *db = db_create(url, "courier");
    test_script(db, "DELETE FROM sink");
    struct courier *late = given_courier("late");
    run(late);
    given_event(1);
    run(late);
    expect_all_taken(1);
    courier_destroy(late);
}

// The known mistake: an hour without the sink loses nothing, and nothing is given up for it.
Test(sinks, that_are_down_for_an_hour_get_everything_afterwards)
{
    sink.down = true;
    for (int minute = 0; minute < 60; minute++) {
        given_event(1 + minute % ORDERS);
        run(first);
        pass_time(60);
    }
    cr_expect_leq(sink.asked, 60 * DELIVERY_PROBES + 10, "asked %d times", sink.asked);
    cr_expect_eq(number("SELECT count(*) FROM sink_event"), 0);
    sink.down = false;
    pass_time(60);
    run(first);
    expect_all_taken(60);
    cr_expect_eq(number("SELECT count(*) FROM sink_event"), 0);
    cr_expect_eq(number("SELECT failures FROM sink"), 0);
}

Test(sinks, that_are_down_are_left_alone_between_two_questions)
{
    sink.down = true;
    given_events(1);
    run(first);
    int asked = sink.asked;
    for (int i = 0; i < 10; i++)
        run(first);
    cr_expect_eq(sink.asked, asked);
    pass_time(2);
    run(first);
    cr_expect_leq(sink.asked, asked + DELIVERY_PROBES);
}

Test(sinks, that_choke_on_one_event_get_all_others)
{
    given_events(3);
    sink.poisoned = 4;
    run(first);
    cr_expect_eq(sink.taken, 3 * (ORDERS - 1));
    cr_expect_eq(rows_in_state(SINK_EVENT_WAITING), 3, "its order waits behind it");
    sink.poisoned = 0;
    for (int i = 0; i < 4; i++) {
        pass_time(60);
        run(first);
    }
    expect_all_taken(3 * ORDERS);
    cr_expect_eq(number("SELECT count(*) FROM sink_event"), 0);
}

// Alone it looks as if the sink were down; the next orders show that it is not.
Test(sinks, that_choke_on_the_only_event_get_the_next_ones)
{
    sink.poisoned = 4;
    given_event(4);
    for (int i = 0; i < 10; i++) {
        run(first);
        pass_time(60);
    }
    cr_expect_eq(number("SELECT last_id FROM sink"), 0);
    given_events(1);
    run(first);
    cr_expect_eq(sink.taken, ORDERS - 1);
    cr_expect_eq(rows_in_state(SINK_EVENT_WAITING), 2);
}

Test(sinks, show_what_they_took_and_how_far_behind_they_are)
{
    struct metric *lag = metrics_gauge("baro_outbox_lag_seconds", "", "sink=\"webhook\"");
    struct metric *down = metrics_gauge("baro_outbox_sink_down", "", "sink=\"webhook\"");
    struct metric *taken = metrics_counter("baro_outbox_deliveries_total", "", "sink=\"webhook\"");
    struct metric *failed_ = metrics_counter("baro_outbox_failures_total", "", "sink=\"webhook\"");
    struct metric *dead = metrics_counter("baro_outbox_dead_letters_total", "", "sink=\"webhook\"");
    sink.down = true;
    given_events(1);
    run(first);
    pass_time(300);
    run(first);
    cr_expect(metric_value(lag) >= 300 && metric_value(lag) < 330, "%lld",
              (long long)metric_value(lag));
    cr_expect_eq(metric_value(down), 1);
    cr_expect_gt(metric_value(failed_), 0);
    sink.down = false;
    sink.refused = 4;
    pass_time(60);
    run(first);
    run(first);
    cr_expect_eq(metric_value(lag), 0);
    cr_expect_eq(metric_value(down), 0);
    cr_expect_eq(metric_value(taken), ORDERS - 1);
    cr_expect_eq(metric_value(dead), 1);
}

Test(sinks, make_a_dead_letter_of_an_event_that_has_no_tries_left)
{
    given_event(4);
    given_events(1);
    sink.poisoned = 4;
    run(first);
    for (int i = 0; i < 20 && rows_in_state(SINK_EVENT_DEAD) == 0; i++) {
        given_event(1); // it takes others meanwhile
        pass_time(360);
        run(first);
    }
    cr_assert_eq(rows_in_state(SINK_EVENT_DEAD), 1);
    cr_expect_geq(number("SELECT tries FROM sink_event WHERE state = 2"), RULES.tries_max);
    cr_expect_lt(number("SELECT tries FROM sink_event WHERE state = 2"),
                 RULES.tries_max + DELIVERY_FAST_TRIES);
    cr_expect_eq(number("SELECT count(*) FROM sink_event WHERE state = 2 AND error = 'trouble'"
                        " AND died_at IS NOT NULL AND length(payload) > 0"),
                 1);
}

// A try tells something of an event only if others get through.
Test(sinks, count_no_tries_of_a_waiting_event_while_they_are_down)
{
    given_event(4);
    given_events(1);
    sink.poisoned = 4;
    run(first);
    int64_t tries = number("SELECT max(tries) FROM sink_event");
    sink.down = true;
    for (int i = 0; i < 30; i++) {
        pass_time(120);
        run(first);
    }
    cr_expect_eq(rows_in_state(SINK_EVENT_DEAD), 0);
    cr_expect_leq(number("SELECT max(tries) FROM sink_event"), tries + DELIVERY_FAST_TRIES);
}

Test(sinks, make_a_dead_letter_of_a_refused_event_at_once_and_go_on)
{
    given_events(2);
    sink.refused = 4;
    run(first);
    run(first);
    cr_expect_eq(sink.taken, 2 * (ORDERS - 1));
    cr_expect_eq(rows_in_state(SINK_EVENT_DEAD), 2);
    cr_expect_eq(number("SELECT max(tries) FROM sink_event"), 1);
}

Test(sinks, that_refuse_everything_count_as_down)
{
    given_events(5);
    sink.refuses_all = true;
    for (int i = 0; i < 10; i++) {
        run(first);
        pass_time(60);
    }
    cr_expect_eq(rows_in_state(SINK_EVENT_DEAD), DELIVERY_REFUSALS_MAX);
    sink.refuses_all = false;
    pass_time(60);
    run(first);
    expect_all_taken(5 * ORDERS - DELIVERY_REFUSALS_MAX);
}

Test(sinks, give_up_only_what_has_waited_for_too_long)
{
    given_events(3);
    sink.down = true;
    run(first);
    pass_time(12 * HOUR_S);
    given_events(1);
    run(first);
    pass_time(13 * HOUR_S);
    run(first);
    cr_expect_eq(rows_in_state(SINK_EVENT_DEAD), 3 * ORDERS);
    sink.down = false;
    pass_time(60);
    run(first);
    expect_all_taken(ORDERS);
}

Test(sinks, are_left_alone_for_as_long_as_they_ask)
{
    given_events(1);
    sink.rest_ms = 600 * 1000;
    sink.down = true;
    run(first);
    int asked = sink.asked;
    sink.down = false;
    pass_time(590);
    run(first);
    cr_expect_eq(sink.asked, asked);
    pass_time(11);
    run(first);
    expect_all_taken(ORDERS);
}

static void replay_all(void)
{
    SCOPED(db) *db = db_create(url, "admin");
    test_script(db, "UPDATE sink_event SET state = 3, due_at = baro_now() WHERE state = 2");
}

Test(sinks, get_a_replayed_event_once_more_and_it_is_marked)
{
    given_events(1);
    sink.refused = 4;
    run(first);
    replay_all();
    run(first); // refused again
    cr_expect_eq(rows_in_state(SINK_EVENT_DEAD), 1);
    cr_expect_eq(number("SELECT tries FROM sink_event"), 2);
    sink.refused = 0;
    replay_all();
    run(first);
    run(first);
    expect_all_taken(ORDERS);
    cr_expect_eq(rows_in_state(SINK_EVENT_REPLAYED), 1);
    cr_expect_eq(number("SELECT count(*) FROM sink_event WHERE replayed_at IS NOT NULL"), 1);
}

Test(sinks, keep_a_replay_for_later_while_they_are_down)
{
    given_events(1);
    sink.refused = 4;
    run(first);
    sink.refused = 0;
    sink.down = true;
    replay_all();
    for (int i = 0; i < 5; i++) {
        run(first);
        pass_time(120);
    }
    cr_expect_eq(rows_in_state(SINK_EVENT_REPLAYING), 1);
    sink.down = false;
    pass_time(600);
    run(first);
    cr_expect_eq(rows_in_state(SINK_EVENT_REPLAYED), 1);
}

Test(sinks, have_one_courier_until_its_lease_is_over)
{
    struct courier *second = given_courier("second");
    given_events(1);
    run(first);
    given_events(1);
    run(second);
    cr_expect_eq(sink.taken, ORDERS);
    pass_time(HOUR_S);
    run(second);
    expect_all_taken(2 * ORDERS);
    given_events(1);
    run(first);
    cr_expect_eq(sink.taken, 2 * ORDERS);
    SCOPED(db) *db = db_create(url, "courier");
    expect_ok(courier_release(second, db));
    run(first);
    expect_all_taken(3 * ORDERS);
    courier_destroy(second);
}

static void let_another_take_over(void)
{
    SCOPED(db) *db = db_create(url, "another");
    sink.hook = NULL;
    test_script(db, "UPDATE sink SET owner = 'another', lease_until = baro_now() + '1 hour'");
}

Test(sinks, are_not_moved_by_a_courier_that_has_lost_its_lease)
{
    given_events(1);
    sink.hook = let_another_take_over;
    SCOPED(db) *db = db_create(url, "courier");
    cr_expect_eq(courier_run(first, db).reason, REASON_CONFLICT);
    cr_expect_eq(number("SELECT last_id FROM sink"), 0);
}

Test(sinks, are_not_asked_again_by_a_courier_that_was_stopped)
{
    given_events(1);
    courier_stop(first);
    run(first);
    cr_expect_eq(sink.asked, 0);
}
