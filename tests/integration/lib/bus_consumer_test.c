// The consumer on a real server, reading a real outbox: each event has its effect once, whatever
// replicas, repetitions and failures do.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/bus/consumer.h"
#include "lib/bus/outbox.h"
#include "tests/integration/lib/guarded.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

enum { EVENTS = 40, LOT = 7, LOTS_MAX = 100, REPLICAS = 3 };

static const char *url;
static struct outbox_reader *reader;

// What makes a source or an effect misbehave, on whichever replica comes first.
static struct {
    bool forgets;                       // answers from the beginning, whatever it is asked for
    void (*_Atomic when_fetched)(void); // once, before its answer is used; may be NULL
    atomic_int failures;                // of the effect, after it was brought about
    bool is_down;
} trouble;

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

static void append_events(size_t count)
{
    char kind[] = "order.paid";
    SCOPED(db) *db = db_create(url, "test");
    SCOPED(arena) *arena = arena_create();
    const Baro__Event **events = arena_array(arena, count, sizeof(Baro__Event *));
    for (size_t i = 0; i < count; i++) {
        Baro__Event *event = arena_alloc(arena, sizeof(*event));
        baro__event__init(event);
        event->kind = kind;
        events[i] = event;
    }
    expect_ok(outbox_append(db, events, count));
    expect_ok(db_flush(db));
}

static struct status fetch(void *context, struct arena *arena, int64_t after_id,
                           Baro__Event ***events, size_t *count)
{
    SCOPED(db) *db = db_create(url, "source");
    (void)context;
    if (trouble.is_down)
        return refuse(REASON_UNAVAILABLE, text_printf(arena, "nobody at %s", "home"));
    struct status st = outbox_read(reader, db, arena, trouble.forgets ? 0 : after_id,
                                   trouble.forgets ? EVENTS : LOT, events, count);
    void (*hook)(void) = atomic_exchange(&trouble.when_fetched, NULL);
    if (hook)
        hook();
    return st;
}

static const struct statement EFFECT = {"test_effect",
                                        "INSERT INTO effect (saga_id) SELECT unnest($1::bigint[])"};

static struct status apply(void *context, struct db *db, struct arena *arena,
                           Baro__Event *const *events, size_t count)
{
    int64_t *ids = arena_array(arena, count, sizeof(*ids));
    (void)context;
    for (size_t i = 0; i < count; i++)
        ids[i] = events[i]->id;
    struct status st = db_execute(db, &EFFECT, PARAMS(p_int64s(ids, count)), NULL);
    return !failed(st) && atomic_fetch_sub(&trouble.failures, 1) > 0
               ? refuse(REASON_INTERNAL, "broken")
               : st;
}

static const struct consumer consumer = {
    "test", {fetch, NULL},
     apply, NULL
};

static struct status run_once(struct arena *arena)
{
    SCOPED(db) *db = db_create(url, "consumer");
    return consumer_run(&consumer, db, arena, LOTS_MAX);
}

static void run(void)
{
    SCOPED(arena) *arena = arena_create();
    expect_ok(run_once(arena));
}

static int64_t effects(void)
{
    return test_number(url, "SELECT count(*) FROM effect");
}

// Where an id is missing, the outbox shows nothing while older transactions run anywhere on the server.
static void run_until(int64_t count)
{
    int64_t until_us = clock_monotonic_us() + 20 * US_PER_S;
    while (effects() < count) {
        cr_assert_lt(clock_monotonic_us(), until_us);
        run();
    }
}

static void expect_each_once(void)
{
    cr_expect_eq(effects(), EVENTS);
    cr_expect_eq(test_number(url, "SELECT count(DISTINCT saga_id) FROM effect"), EVENTS);
    cr_expect_eq(test_number(url, "SELECT last_id FROM event_cursor WHERE consumer = 'test'"),
                 test_number(url, "SELECT max(id) FROM outbox"));
}

static void set_up(void)
{
    url = guarded_database("consumer");
    reader = outbox_reader_create();
    append_events(EVENTS);
}

static void tear_down(void)
{
    outbox_reader_destroy(reader);
}

TestSuite(consumer, .init = set_up, .fini = tear_down, .timeout = 60);

Test(consumer, applies_every_event_once_lot_by_lot)
{
    run_until(EVENTS);
    run();
    expect_each_once();
}

static int64_t behind_s(void)
{
    return metric_value(metrics_gauge("baro_bus_events_behind_seconds", "", "consumer=\"test\""));
}

Test(consumer, tells_how_far_it_is_behind_until_it_has_caught_up)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = db_create(url, "consumer");
    guarded_advance(url, 3600);
    int64_t until_us = clock_monotonic_us() + 20 * US_PER_S;
    while (effects() == 0) {
        cr_assert_lt(clock_monotonic_us(), until_us);
        expect_ok(consumer_run(&consumer, db, arena, 1));
    }
    cr_expect_geq(behind_s(), 3500);
    run_until(EVENTS);
    run();
    cr_expect_eq(behind_s(), 0);
}

Test(consumer, leaves_out_what_a_source_shows_again)
{
    run_until(EVENTS);
    trouble.forgets = true;
    SCOPED(db) *db = db_create(url, "consumer");
    SCOPED(arena) *arena = arena_create();
    expect_ok(consumer_run(&consumer, db, arena, 3));
    expect_each_once();
}

Test(consumer, leaves_out_what_another_replica_applied_while_it_fetched)
{
    trouble.when_fetched = run;
    run_until(EVENTS);
    expect_each_once();
}

static void *run_replica(void *arg)
{
    run_until(EVENTS);
    return arg;
}

Test(consumer, applies_each_event_once_on_three_replicas_at_once)
{
    pthread_t threads[REPLICAS];
    for (size_t i = 0; i < REPLICAS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run_replica, NULL), 0);
    for (size_t i = 0; i < REPLICAS; i++)
        pthread_join(threads[i], NULL);
    expect_each_once();
}

Test(consumer, an_effect_that_fails_leaves_the_cursor_where_it_was)
{
    SCOPED(arena) *arena = arena_create();
    int64_t until_us = clock_monotonic_us() + 20 * US_PER_S;
    trouble.failures = 1;
    while (trouble.failures > 0) {
        cr_assert_lt(clock_monotonic_us(), until_us);
        (void)run_once(arena);
    }
    cr_expect_eq(effects(), 0);
    run_until(EVENTS);
    expect_each_once();
}

Test(consumer, a_source_that_is_away_is_told_and_asked_again)
{
    SCOPED(arena) *arena = arena_create();
    trouble.is_down = true;
    struct status st = run_once(arena);
    cr_assert_eq(st.code, STATUS_UNAVAILABLE);
    cr_expect_str_eq(st.message, "nobody at home");
    trouble.is_down = false;
    run_until(EVENTS);
    expect_each_once();
}
