#pragma once
// Finished bodies of the catalogue, kept for a moment, and one fetch at a time for each.
//
// Whoever asks for a key that is not kept fetches it (a flight); who asks meanwhile waits for that
// flight, so a thousand misses cost one call. A page is as old as the start of its flight, so what
// is handed out was true at most one time to live ago. Memory is bounded: the oldest go. Thread-safe.

#include "gateway/entity_tag.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_KEY_MAX = 512 };

// A body that nobody changes any more; freed with its last holder.
struct page {
    atomic_uint holders;
    size_t length;
    char tag[ENTITY_TAG_SIZE];
    char data[];
};

// Copies the body; the caller holds the page.
struct page *page_create(const char *data, size_t length);

// One holder more.
struct page *page_hold(struct page *page);

// Gives a hold back. Accepts NULL.
void page_release(struct page *page);

struct page_cache;
struct flight;

// One of those who wait; stands inside whatever waits.
struct page_waiter {
    struct page_waiter *next;
};

// ttl_ms 0: every request has a flight of its own and nothing is kept.
struct page_cache *page_cache_create(int64_t ttl_ms, size_t bytes_max);

// No flight may be under way. Accepts NULL.
void page_cache_destroy(struct page_cache *cache);

// The page that is kept under the key and was true within the time to live before now_us, held for
// the caller; or NULL.
struct page *page_cache_find(struct page_cache *cache, const char *key, size_t length,
                             int64_t now_us);

// What page_cache_enter has found.
enum page_way {
    PAGE_FOUND, // *page, held for the caller
    PAGE_WAITS, // the waiter is in the list of the flight under way
    PAGE_FETCH, // *flight is the caller's: it must land
};

enum page_way page_cache_enter(struct page_cache *cache, const char *key, size_t length,
                               int64_t now_us, struct page_waiter *waiter, struct page **page,
                               struct flight **flight);

// Ends a flight: keeps its page (NULL: it has none) unless the key was forgotten meanwhile, and
// returns those who waited.
struct page_waiter *page_cache_land(struct page_cache *cache, struct flight *flight,
                                    struct page *page);

// What was fetched under the key (or, without one, under all keys), or is being fetched, is not
// handed out to who comes from now on.
void page_cache_forget(struct page_cache *cache, const char *key, size_t length);
void page_cache_clear(struct page_cache *cache);
