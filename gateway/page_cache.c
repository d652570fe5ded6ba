// A table by key, and a list of the same entries in the order of their flights' starts, which is the
// order in which they go stale: what is too old, or too much, goes from its head.
//
// An entry is in the table while it may be found. One whose flight is under way belongs to that
// flight: when it is forgotten it leaves the table and is freed when it lands.

#include "gateway/page_cache.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum { ENTRIES_MAX = 8192 };

struct flight {
    UT_hash_handle hh;
    struct flight *next, *prev;
    struct page *page; // NULL: under way
    struct page_waiter *waiting;
    int64_t began_us;
    bool listed; // in table and list
    size_t key_length;
    char key[];
};

struct page_cache {
    int64_t ttl_us;
    size_t bytes_max;
    struct metric *hits, *joined, *misses, *evicted, *size;

    pthread_mutex_t lock; // for all below
    struct flight *table;
    struct flight *oldest;
    size_t bytes; // of pages and keys that are listed
};

struct page *page_create(const char *data, size_t length)
{
    struct page *page = memory_alloc(sizeof(*page) + length);
    atomic_init(&page->holders, 1);
    page->length = length;
    memcpy(page->data, data, length);
    entity_tag_make(data, length, page->tag);
    return page;
}

struct page *page_hold(struct page *page)
{
    atomic_fetch_add_explicit(&page->holders, 1, memory_order_relaxed);
    return page;
}

void page_release(struct page *page)
{
    if (page && atomic_fetch_sub(&page->holders, 1) == 1)
        free(page);
}

static struct metric *count_of(const char *labels)
{
    return metrics_counter("baro_catalogue_cache_total", "Catalogue reads by anybody", labels);
}

struct page_cache *page_cache_create(int64_t ttl_ms, size_t bytes_max)
{
    struct page_cache *cache = memory_alloc(sizeof(*cache));
    cache->ttl_us = ttl_ms * US_PER_MS;
    cache->bytes_max = bytes_max;
    cache->hits = count_of("result=\"hit\"");
    cache->joined = count_of("result=\"joined\"");
    cache->misses = count_of("result=\"miss\"");
    cache->evicted = metrics_counter("baro_catalogue_cache_evicted_total",
                                     "Bodies that went before their time", NULL);
    cache->size = metrics_gauge("baro_catalogue_cache_bytes", "Bodies that are kept", NULL);
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static size_t bytes_of(const struct flight *flight)
{
    return sizeof(*flight) + flight->key_length +
           (flight->page ? sizeof(*flight->page) + flight->page->length : 0);
}

static void flight_free(struct flight *flight)
{
    page_release(flight->page);
    free(flight);
}

// Nobody finds it any more. One that is under way goes when it lands.
static void delist(struct page_cache *cache, struct flight *flight)
{
    HASH_DELETE(hh, cache->table, flight);
    DL_DELETE(cache->oldest, flight);
    flight->listed = false;
    cache->bytes -= bytes_of(flight);
    if (flight->page)
        flight_free(flight);
}

static void trim(struct page_cache *cache, int64_t now_us)
{
    while (cache->oldest && cache->oldest->began_us + cache->ttl_us <= now_us)
        delist(cache, cache->oldest);
    while (cache->bytes > cache->bytes_max || HASH_COUNT(cache->table) > ENTRIES_MAX) {
        delist(cache, cache->oldest);
        metric_add(cache->evicted, 1);
    }
    metric_set(cache->size, (int64_t)cache->bytes);
}

void page_cache_clear(struct page_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    while (cache->oldest)
        delist(cache, cache->oldest);
    metric_set(cache->size, 0);
    pthread_mutex_unlock(&cache->lock);
}

void page_cache_destroy(struct page_cache *cache)
{
    if (!cache)
        return;
    page_cache_clear(cache);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

// With the lock held: what is listed under the key and young enough, or NULL.
static struct flight *look_up(struct page_cache *cache, const char *key, size_t length,
                              int64_t now_us)
{
    struct flight *flight;
    HASH_FIND(hh, cache->table, key, length, flight);
    return flight && flight->began_us + cache->ttl_us > now_us ? flight : NULL;
}

struct page *page_cache_find(struct page_cache *cache, const char *key, size_t length,
                             int64_t now_us)
{
    pthread_mutex_lock(&cache->lock);
    struct flight *flight = look_up(cache, key, length, now_us);
    struct page *page = flight && flight->page ? page_hold(flight->page) : NULL;
    pthread_mutex_unlock(&cache->lock);
    if (page)
        metric_add(cache->hits, 1);
    return page;
}

static struct flight *begin_flight(struct page_cache *cache, const char *key, size_t length,
                                   int64_t now_us)
{
    struct flight *flight = memory_alloc(sizeof(*flight) + length), *replaced;
    flight->began_us = now_us;
    flight->key_length = length;
    memcpy(flight->key, key, length);
    if (cache->ttl_us == 0)
        return flight;
    HASH_FIND(hh, cache->table, key, length, replaced);
    if (replaced)
        delist(cache, replaced);
    HASH_ADD_KEYPTR(hh, cache->table, flight->key, length, flight);
    DL_APPEND(cache->oldest, flight);
    flight->listed = true;
    cache->bytes += bytes_of(flight);
    trim(cache, now_us);
    return flight;
}

enum page_way page_cache_enter(struct page_cache *cache, const char *key, size_t length,
                               int64_t now_us, struct page_waiter *waiter, struct page **page,
                               struct flight **flight)
{
    assert(length <= PAGE_KEY_MAX);
    enum page_way way = PAGE_FETCH;
    pthread_mutex_lock(&cache->lock);
    struct flight *found = look_up(cache, key, length, now_us);
    if (found && found->page) {
        way = PAGE_FOUND;
        *page = page_hold(found->page);
    } else if (found) {
        way = PAGE_WAITS;
        LL_PREPEND(found->waiting, waiter);
    } else {
        *flight = begin_flight(cache, key, length, now_us);
    }
    pthread_mutex_unlock(&cache->lock);
    struct metric *const counts[] = {cache->hits, cache->joined, cache->misses};
    metric_add(counts[way], 1);
    return way;
}

struct page_waiter *page_cache_land(struct page_cache *cache, struct flight *flight,
                                    struct page *page)
{
    pthread_mutex_lock(&cache->lock);
    struct page_waiter *waiting = flight->waiting;
    flight->waiting = NULL;
    bool kept = flight->listed && page;
    if (kept) {
        cache->bytes -= bytes_of(flight);
        flight->page = page_hold(page);
        cache->bytes += bytes_of(flight);
        trim(cache, clock_monotonic_us());
    } else if (flight->listed) {
        delist(cache, flight);
    }
    if (!kept)
        flight_free(flight);
    pthread_mutex_unlock(&cache->lock);
    return waiting;
}

void page_cache_forget(struct page_cache *cache, const char *key, size_t length)
{
    struct flight *flight;
    pthread_mutex_lock(&cache->lock);
    HASH_FIND(hh, cache->table, key, length, flight);
    if (flight)
        delist(cache, flight);
    pthread_mutex_unlock(&cache->lock);
}
