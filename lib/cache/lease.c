// Advisory locks: taken if nobody has them, given back only by their owner.

#include "lib/base/text.h"
#include "lib/cache/cache.h"

static const struct cache_script RELEASE = {
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"};

struct status cache_lease_take(struct cache *cache, const char *key, const char *owner,
                               int64_t ttl_ms, int64_t deadline_us, bool *taken)
{
    SCOPED(arena) *arena = arena_create();
    const char *ttl = text_printf(arena, "%lld", (long long)ttl_ms);
    const char *words[] = {"SET", key, owner, "NX", "PX", ttl};
    struct cache_value value;
    struct status st =
        cache_call(cache, (struct cache_command){.words = words, .count = COUNT(words)},
                   deadline_us, arena, &value);
    if (failed(st))
        return refuse(st.reason, "the lease cannot be taken");
    *taken = value.kind != CACHE_NIL;
    return OK;
}

struct status cache_lease_release(struct cache *cache, const char *key, const char *owner,
                                  int64_t deadline_us)
{
    SCOPED(arena) *arena = arena_create();
    const char *words[] = {key, owner};
    struct cache_value value;
    struct status st =
        cache_call(cache,
                   (struct cache_command){
                       .script = &RELEASE, .key_count = 1, .words = words, .count = COUNT(words)},
                   deadline_us, arena, &value);
    return failed(st) ? refuse(st.reason, "the lease cannot be given back") : OK;
}
