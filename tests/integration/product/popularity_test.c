// Popularity on a real database, fed with the events that an order service would have.

#include "lib/base/macros.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/bus/consumer.h"
#include "proto/order.pb-c.h"
#include "tests/integration/product/depot.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

enum { EVENTS_MAX = 64, LOT = 7, LOTS_MAX = 100, REPLICAS = 3 };

static struct depot *depot;
static struct arena *arena;

// The outbox of the order service.
static struct {
    Baro__Event *events[EVENTS_MAX];
    size_t count;
} outbox;

static void set_up(void)
{
    depot = depot_open((struct rig_size){1, 0});
    arena = arena_create();
}

static void tear_down(void)
{
    depot_close(depot);
    arena_destroy(arena);
}

TestSuite(popularity, .init = set_up, .fini = tear_down, .timeout = 120);

static struct status fetch(void *context, struct arena *scratch, int64_t after_id,
                           Baro__Event ***events, size_t *count)
{
    size_t first = (size_t)after_id; // ids count from 1
    (void)context;
    (void)scratch;
    *events = outbox.events + first;
    *count = outbox.count - first < LOT ? outbox.count - first : LOT;
    return OK;
}

static void must(struct status st)
{
    cr_assert(!failed(st), "%s %s", reason_word(st.reason), st.message ? st.message : "");
}

static void *consume(void *arg)
{
    const struct consumer consumer = {
        .name = "popularity",
        .source = {fetch, NULL},
        .apply = count_sales,
        .context = &depot->service
    };
    SCOPED(db) *db = rig_db(depot->rig);
    SCOPED(arena) *scratch = arena_create();
    (void)arg;
    must(consumer_run(&consumer, db, scratch, LOTS_MAX));
    return NULL;
}

static int64_t at(const char *time)
{
    int64_t us = 0;
    cr_assert(text_parse_time(time, &us), "%s", time);
    return us;
}

static void publish_bytes(const char *kind, const void *payload, size_t size)
{
    Baro__Event *event = arena_alloc(arena, sizeof *event);
    cr_assert_lt(outbox.count, EVENTS_MAX);
    baro__event__init(event);
    event->id = (int64_t)outbox.count + 1;
    event->kind = text_copy(arena, kind);
    event->payload.data = arena_copy(arena, payload, size);
    event->payload.len = size;
    outbox.events[outbox.count++] = event;
}

// "order.paid" or "order.refunded" of an order that took some units of one option.
static void publish_order(const char *kind, const char *paid_at, int64_t product_id,
                          int64_t option_id, int64_t units)
{
    Baro__Order__OrderChanged order;
    Baro__Order__OrderItem item, *items[] = {&item};
    Baro__Timestamp time = BARO__TIMESTAMP__INIT;
    size_t size;
    baro__order__order_changed__init(&order);
    baro__order__order_item__init(&item);
    time.us = at(paid_at);
    item.product_id = product_id;
    item.option_id = option_id;
    item.quantity = units;
    order.items = items;
    order.n_items = 1;
    order.paid_at = &time;
    const uint8_t *payload = protobuf_pack(&order.base, arena, &size);
    publish_bytes(kind, payload, size);
}

static void paid(const char *paid_at, int64_t product_id, int64_t units)
{
    publish_order("order.paid", paid_at, product_id, product_id * 10, units);
}

static void refunded(const char *paid_at, int64_t product_id, int64_t units)
{
    publish_order("order.refunded", paid_at, product_id, product_id * 10, units);
}

static int64_t given_any_product(void)
{
    int64_t stock = 10, option_id;
    return given_product(depot, &stock, 1, &option_id);
}

static void set_clock(const char *time)
{
    SCOPED(db) *db = rig_db(depot->rig);
    test_script(db, text_printf(arena,
                                "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz"
                                " LANGUAGE sql STABLE PARALLEL SAFE"
                                " AS $$SELECT timestamptz '%s'$$",
                                time));
}

// What is asked for, as the query of an address would: "" leaves out.
struct question {
    const char *from, *to, *snapshot;
    int64_t limit;
};

static Baro__Timestamp *time_or_null(const char *time)
{
    if (!time)
        return NULL;
    Baro__Timestamp *stamp = arena_alloc(arena, sizeof *stamp);
    baro__timestamp__init(stamp);
    stamp->us = at(time);
    return stamp;
}

static const Baro__Product__PopularPage *ranking(struct question question)
{
    Baro__Product__ListPopularRequest request;
    Baro__Int64 limit = BARO__INT64__INIT;
    baro__product__list_popular_request__init(&request);
    limit.value = question.limit;
    request.limit = question.limit ? &limit : NULL;
    request.from = time_or_null(question.from);
    request.to = time_or_null(question.to);
    request.snapshot = text_copy(arena, question.snapshot ? question.snapshot : "");
    return rig_done(depot->rig, "ListPopular", as_nobody(), &request.base);
}

// The ranking as "product:units product:units"; products by their place in `ids`, from a on.
static const char *shown(const Baro__Product__PopularPage *page, const int64_t *ids, size_t count)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 64);
    for (size_t i = 0; i < page->n_items; i++) {
        size_t place = 0;
        while (place < count && ids[place] != page->items[i]->product_id)
            place++;
        cr_expect_eq(page->items[i]->rank, (int64_t)i + 1);
        text_appendf(&out, "%s%c:%lld", i ? " " : "", (char)('a' + place),
                     (long long)page->items[i]->units_sold);
    }
    return out.data;
}

static int64_t units_in_buckets(void)
{
    return rig_number(depot->rig, "SELECT coalesce(sum(units), 0)::bigint FROM sales_hour");
}

Test(popularity, a_payment_shows_at_once_and_its_refund_takes_it_back)
{
    int64_t product = given_any_product();
    set_clock("2026-11-21T10:20:30Z");
    paid("2026-11-21T10:20:29.5Z", product, 3);
    consume(NULL);
    const Baro__Product__PopularPage *page = ranking((struct question){0});
    cr_assert_eq(page->n_items, 1);
    cr_expect_eq(page->items[0]->rank, 1);
    cr_expect_eq(page->items[0]->product_id, product);
    cr_expect_str_eq(page->items[0]->name, "티셔츠");
    cr_expect_eq(page->items[0]->price, 1000);
    cr_expect_eq(page->items[0]->units_sold, 3);
    cr_expect_eq(page->items[0]->last_paid_at->us, at("2026-11-21T10:20:29.5Z"));
    refunded("2026-11-21T10:20:29.5Z", product, 3);
    consume(NULL);
    cr_expect_eq(ranking((struct question){0})->n_items, 0);
}

Test(popularity, a_refund_lowers_the_hour_of_the_payment_and_no_other)
{
    int64_t a = given_any_product();
    set_clock("2026-11-21T10:20:30Z");
    paid("2026-11-19T08:59:59Z", a, 4);
    paid("2026-11-19T09:00:00Z", a, 2);
    refunded("2026-11-19T08:59:59Z", a, 4);
    consume(NULL);
    struct question early = {.from = "2026-11-19T08:00:00Z", .to = "2026-11-19T09:00:00Z"};
    struct question late = {.from = "2026-11-19T09:00:00Z", .to = "2026-11-19T10:00:00Z"};
    cr_expect_str_eq(shown(ranking(early), &a, 1), "");
    cr_expect_str_eq(shown(ranking(late), &a, 1), "a:2");
}

Test(popularity, units_rank_first_then_the_last_payment_then_the_id)
{
    int64_t ids[5];
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = given_any_product();
    set_clock("2026-11-21T10:20:30Z");
    paid("2026-11-21T09:00:00Z", ids[0], 2);
    paid("2026-11-21T08:00:00Z", ids[1], 2);
    paid("2026-11-21T09:00:00Z", ids[2], 2);
    paid("2026-11-20T07:00:00Z", ids[3], 3);
    paid("2026-11-21T10:00:00Z", ids[4], 1);
    paid("2026-11-20T10:00:00Z", ids[4], 1);
    consume(NULL);
    cr_expect_str_eq(shown(ranking((struct question){0}), ids, 5), "d:3 e:2 a:2 c:2 b:2");
    cr_expect_str_eq(shown(ranking((struct question){.limit = 2}), ids, 5), "d:3 e:2");
}

Test(popularity, options_of_one_product_count_together_and_lost_products_not_at_all)
{
    int64_t a = given_any_product(), b = given_any_product(), c = given_any_product();
    const int64_t ids[] = {a, b, c};
    set_clock("2026-11-21T10:20:30Z");
    publish_order("order.paid", "2026-11-21T09:10:00Z", a, 1, 1);
    publish_order("order.paid", "2026-11-21T09:20:00Z", a, 2, 2);
    paid("2026-11-21T09:00:00Z", b, 9);
    paid("2026-11-21T09:00:00Z", c, 9);
    paid("2026-11-21T09:00:00Z", c + 1000, 9);
    consume(NULL);
    SCOPED(db) *db = rig_db(depot->rig);
    test_script(db, text_printf(arena, "UPDATE product SET is_active = false WHERE id = %lld",
                                (long long)b));
    test_script(db, text_printf(arena, "UPDATE product SET deleted_at = now() WHERE id = %lld",
                                (long long)c));
    cr_expect_str_eq(shown(ranking((struct question){0}), ids, 3), "a:3");
}

Test(popularity, the_usual_window_begins_3_days_ago)
{
    int64_t a = given_any_product();
    set_clock("2026-11-21T10:20:30Z");
    paid("2026-11-18T09:59:59.999999Z", a, 16);
    paid("2026-11-18T10:00:00Z", a, 1);
    paid("2026-11-21T10:20:30Z", a, 2);
    consume(NULL);
    cr_expect_str_eq(shown(ranking((struct question){0}), &a, 1), "a:3");
    cr_expect_str_eq(shown(ranking((struct question){.from = "2026-11-18T09:30:00Z"}), &a, 1),
                     "a:19");
    set_clock("2026-11-21T11:00:00Z");
    cr_expect_str_eq(shown(ranking((struct question){0}), &a, 1), "a:2");
}

Test(popularity, events_that_nobody_understands_hold_up_nothing)
{
    int64_t a = given_any_product();
    set_clock("2026-11-21T10:20:30Z");
    publish_bytes("order.paid", "\xff\xff\xff", 3);
    publish_bytes("order.paid", "", 0);
    publish_bytes("order.sent_to_the_moon", "", 0);
    publish_order("order.pending", "2026-11-21T10:00:00Z", a, 1, 5);
    paid("2026-11-21T10:00:00Z", a, 1);
    consume(NULL);
    cr_expect_str_eq(shown(ranking((struct question){0}), &a, 1), "a:1");
}

Test(popularity, the_refund_of_a_payment_that_was_never_counted_takes_nothing_below_zero)
{
    int64_t a = given_any_product();
    set_clock("2026-11-21T10:20:30Z");
    paid("2026-11-21T10:00:00Z", a, 1);
    refunded("2026-11-21T10:10:00Z", a, 5);
    refunded("2026-11-21T08:00:00Z", a, 5);
    consume(NULL);
    cr_expect_eq(units_in_buckets(), 0);
    cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM sales_hour"), 1);
}

Test(popularity, three_replicas_at_once_count_what_was_paid_less_what_was_refunded)
{
    int64_t ids[3], expected = 0;
    pthread_t threads[REPLICAS];
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = given_any_product();
    for (int64_t i = 0; i < EVENTS_MAX / 2; i++) {
        const char *time = text_printf(arena, "2026-11-21T%02d:00:00Z", (int)(i % 5));
        int64_t units = 1 + i % 4;
        paid(time, ids[i % 3], units);
        if (i % 3 == 0)
            refunded(time, ids[i % 3], units);
        expected += i % 3 == 0 ? 0 : units;
    }
    for (size_t i = 0; i < REPLICAS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, consume, NULL), 0);
    for (size_t i = 0; i < REPLICAS; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(units_in_buckets(), expected);
    consume(NULL);
    cr_expect_eq(units_in_buckets(), expected, "again");
}

static void *take_snapshot(void *arg)
{
    SCOPED(db) *db = rig_db(depot->rig);
    SCOPED(arena) *scratch = arena_create();
    (void)arg;
    must(take_popular_snapshot(&depot->service, db, scratch));
    return NULL;
}

Test(popularity, three_replicas_store_one_snapshot_of_midnight)
{
    int64_t ids[] = {given_any_product(), given_any_product()};
    pthread_t threads[REPLICAS];
    paid("2026-11-18T00:00:00Z", ids[0], 1);
    paid("2026-11-20T23:59:59.999999Z", ids[0], 2);
    paid("2026-11-19T12:00:00Z", ids[1], 2);
    paid("2026-11-17T23:59:59Z", ids[1], 50);
    paid("2026-11-21T00:00:00Z", ids[1], 50);
    consume(NULL);
    set_clock("2026-11-21T00:00:07Z");
    for (size_t i = 0; i < REPLICAS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, take_snapshot, NULL), 0);
    for (size_t i = 0; i < REPLICAS; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM popular_snapshot"), 1);
    struct question midnight = {.snapshot = "2026-11-21"};
    cr_expect_str_eq(shown(ranking(midnight), ids, 2), "a:3 b:2");
    midnight.limit = 1;
    cr_expect_str_eq(shown(ranking(midnight), ids, 2), "a:3");
}

Test(popularity, a_snapshot_stays_as_it_was_and_the_next_day_has_its_own)
{
    int64_t a = given_any_product();
    paid("2026-11-20T12:00:00Z", a, 1);
    consume(NULL);
    set_clock("2026-11-21T08:00:00Z");
    take_snapshot(NULL);
    paid("2026-11-20T12:30:00Z", a, 4);
    consume(NULL);
    set_clock("2026-11-21T23:59:59Z");
    take_snapshot(NULL);
    cr_expect_str_eq(shown(ranking((struct question){.snapshot = "2026-11-21"}), &a, 1), "a:1");
    set_clock("2026-11-22T00:00:06Z");
    take_snapshot(NULL);
    cr_expect_str_eq(shown(ranking((struct question){.snapshot = "2026-11-22"}), &a, 1), "a:5");
    cr_expect_str_eq(shown(ranking((struct question){.snapshot = "2026-11-20"}), &a, 1), "");
}

Test(popularity, a_snapshot_waits_for_the_last_payments_of_the_day)
{
    set_clock("2026-11-21T00:00:04Z");
    take_snapshot(NULL);
    cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM popular_snapshot"), 0);
    set_clock("2026-11-21T00:00:05Z");
    take_snapshot(NULL);
    cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM popular_snapshot"), 1,
                 "also of a day without sales");
}

Test(popularity, hours_are_forgotten_after_60_days)
{
    int64_t a = given_any_product();
    SCOPED(db) *db = rig_db(depot->rig);
    paid("2026-11-21T09:00:00Z", a, 1);
    paid("2026-11-21T10:00:00Z", a, 2);
    consume(NULL);
    set_clock("2027-01-20T10:00:00Z");
    must(prune_sales(&depot->service, db, arena));
    cr_expect_eq(units_in_buckets(), 2);
}

static const Baro__Product__ProductPage *list(int32_t size, const char *token)
{
    Baro__Product__ListProductsRequest request;
    char popular[] = "popular";
    baro__product__list_products_request__init(&request);
    request.sort = popular;
    request.page_size = size;
    request.page_token = text_copy(arena, token);
    return rig_done(depot->rig, "ListProducts", as_nobody(), &request.base);
}

Test(popularity, a_list_by_popularity_pages_through_what_sold_and_then_the_rest)
{
    int64_t ids[6];
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = given_any_product();
    set_clock("2026-11-21T10:20:30Z");
    paid("2026-11-21T08:00:00.000001Z", ids[4], 2);
    paid("2026-11-21T08:00:00.000002Z", ids[1], 2);
    paid("2026-11-21T07:00:00Z", ids[5], 3);
    paid("2026-11-18T09:00:00Z", ids[2], 9);
    consume(NULL);
    const int64_t expected[] = {ids[5], ids[1], ids[4], ids[3], ids[2], ids[0]};
    const char *token = "";
    for (size_t i = 0; i < COUNT(expected); i++) {
        const Baro__Product__ProductPage *page = list(1, token);
        cr_assert_eq(page->n_items, 1);
        cr_expect_eq(page->items[0]->id, expected[i], "place %zu", i);
        token = page->next_page_token;
    }
    cr_expect_str_empty(token);
    cr_expect_eq(list(0, "")->n_items, COUNT(expected));
}
