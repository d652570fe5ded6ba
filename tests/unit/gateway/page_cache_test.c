// The cache of finished bodies, with time as an argument.

#include "gateway/page_cache.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { TTL_MS = 60000, ROOM = 100 * 1000 };

static struct page_cache *cache;
static int64_t now_us; // begins with the true time: landing reads the clock

static void set_up(void)
{
    cache = page_cache_create(TTL_MS, ROOM);
    now_us = clock_monotonic_us();
}

static void tear_down(void)
{
    page_cache_destroy(cache);
}

TestSuite(page_cache, .init = set_up, .fini = tear_down);

static enum page_way enter(const char *key, struct page_waiter *waiter, struct flight **flight)
{
    struct page *page = NULL;
    enum page_way way = page_cache_enter(cache, key, strlen(key), now_us, waiter, &page, flight);
    page_release(page);
    return way;
}

static struct page_waiter *land(struct flight *flight, const char *body)
{
    struct page *page = body ? page_create(body, strlen(body)) : NULL;
    struct page_waiter *waiting = page_cache_land(cache, flight, page);
    page_release(page);
    return waiting;
}

static void keep(const char *key, const char *body)
{
    struct page_waiter waiter;
    struct flight *flight;
    cr_assert_eq(enter(key, &waiter, &flight), PAGE_FETCH);
    cr_assert_null(land(flight, body));
}

static bool keeps(const char *key, const char *body)
{
    struct page *page = page_cache_find(cache, key, strlen(key), now_us);
    bool same = page && page->length == strlen(body) && memcmp(page->data, body, page->length) == 0;
    page_release(page);
    return same;
}

static int64_t bytes_kept(void)
{
    return metric_value(metrics_gauge("baro_catalogue_cache_bytes", "", NULL));
}

Test(page_cache, a_page_is_kept_for_its_time_from_the_start_of_its_flight)
{
    struct page_waiter waiter;
    struct flight *flight;
    enter("/p", &waiter, &flight);
    now_us += US_PER_S; // the call takes a second
    land(flight, "one");
    now_us += (TTL_MS - 1000) * US_PER_MS - 1;
    cr_assert(keeps("/p", "one"));
    now_us += 1;
    cr_assert_not(keeps("/p", "one"));
    keep("/p", "two");
    cr_assert(keeps("/p", "two"));
    cr_assert_not(keeps("/q", "two"));
}

Test(page_cache, who_asks_meanwhile_waits_for_the_one_flight)
{
    struct page_waiter waiters[3];
    struct flight *flight, *none = NULL;
    cr_assert_eq(enter("/p", &waiters[0], &flight), PAGE_FETCH);
    cr_assert_eq(enter("/p", &waiters[1], &none), PAGE_WAITS);
    cr_assert_eq(enter("/p", &waiters[2], &none), PAGE_WAITS);
    cr_assert_null(none);
    const struct page_waiter *waiting = land(flight, "one");
    cr_assert_eq(waiting, &waiters[2]);
    cr_assert_eq(waiting->next, &waiters[1]);
    cr_assert_null(waiting->next->next);
    cr_assert_eq(enter("/p", &waiters[0], &none), PAGE_FOUND);
}

Test(page_cache, a_flight_that_brings_nothing_is_not_kept)
{
    struct page_waiter waiters[2];
    struct flight *flight;
    enter("/p", &waiters[0], &flight);
    enter("/p", &waiters[1], &flight);
    cr_assert_eq(land(flight, NULL), &waiters[1]);
    keep("/p", "one");
}

Test(page_cache, what_was_forgotten_under_way_reaches_only_those_who_waited)
{
    struct page_waiter waiters[2];
    struct flight *old, *young, *none;
    enter("/p", &waiters[0], &old);
    enter("/p", &waiters[1], &none);
    page_cache_forget(cache, "/p", 2);
    cr_assert_eq(enter("/p", &waiters[0], &young), PAGE_FETCH);
    cr_assert_eq(land(old, "old"), &waiters[1]);
    cr_assert_not(keeps("/p", "old"));
    cr_assert_null(land(young, "young"));
    cr_assert(keeps("/p", "young"));
}

Test(page_cache, one_key_or_all_are_forgotten)
{
    keep("/p", "one");
    keep("/q", "two");
    page_cache_forget(cache, "/p", 2);
    page_cache_forget(cache, "/r", 2);
    cr_assert(!keeps("/p", "one") && keeps("/q", "two"));
    page_cache_clear(cache);
    cr_assert_not(keeps("/q", "two"));
    cr_assert_eq(bytes_kept(), 0);
}

Test(page_cache, the_oldest_go_when_there_is_no_room)
{
    static char body[ROOM / 4];
    memset(body, 'x', sizeof(body) - 1);
    const char *const keys[] = {"/0", "/1", "/2", "/3", "/4"};
    for (int i = 0; i < 5; i++) {
        keep(keys[i], body);
        cr_assert_leq(bytes_kept(), ROOM);
    }
    cr_assert(!keeps(keys[0], body) && !keeps(keys[1], body));
    cr_assert(keeps(keys[2], body) && keeps(keys[4], body));
}

Test(page_cache, keys_alone_cannot_fill_it)
{
    char key[32];
    for (int i = 0; i < 50000; i++) {
        snprintf(key, sizeof(key), "/p?%d", i);
        keep(key, "");
        cr_assert_leq(bytes_kept(), ROOM);
    }
    cr_assert(keeps(key, ""));
}

Test(page_cache, switched_off_it_keeps_nothing_and_lets_nobody_wait)
{
    struct page_waiter waiters[2];
    struct flight *one, *two;
    page_cache_destroy(cache);
    cache = page_cache_create(0, ROOM);
    cr_assert_eq(enter("/p", &waiters[0], &one), PAGE_FETCH);
    cr_assert_eq(enter("/p", &waiters[1], &two), PAGE_FETCH);
    cr_assert_null(land(one, "one"));
    cr_assert_null(land(two, "two"));
    cr_assert_not(keeps("/p", "one"));
}
