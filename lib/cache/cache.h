#pragma once
// Redis: a hint, a limiter and a cache, never the only place of a fact (DESIGN 7). Every use has a
// fallback for UNAVAILABLE, which is what everything here answers at once while Redis is away.
//
// One thread owns one connection. Any thread submits commands; all that wait when the connection
// becomes free go out as one pipeline, in the order of their submission. UNAVAILABLE and
// DEADLINE_EXCEEDED do not tell whether the command was done. Thread-safe.

#include "lib/base/arena.h"
#include "lib/base/macros.h"
#include "lib/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

// A Lua script: a constant. Sent by its SHA-1, with its source only when Redis does not have it.
struct cache_script {
    const char *source;
};

// Words of a command; with a script, its keys and then its arguments. Copied by the call.
struct cache_command {
    const struct cache_script *script; // NULL: words[0] names the command
    size_t key_count;                  // of a script
    const char *const *words;
    const size_t *lengths; // NULL: words end with NUL
    size_t count;
};

enum cache_kind { CACHE_NIL, CACHE_INTEGER, CACHE_TEXT, CACHE_ARRAY, CACHE_ERROR };

// A reply. CACHE_ERROR occurs only inside arrays; an error reply as a whole is a status.
struct cache_value {
    enum cache_kind kind;
    int64_t number;
    const char *text; // NUL-terminated, may hold any bytes
    size_t length;    // of text
    const struct cache_value *items;
    size_t count; // of items
};

// Makes a handle and starts its thread, which connects and keeps connecting. URLs:
// redis://[[user]:password@]host[:port][/database] and unix://[[user]:password@]/path.
// INVALID_ARGUMENT for others.
struct status cache_create(const char *url, struct cache **cache);

// Fails what waits with UNAVAILABLE, and ends the thread. Nobody may use the cache any more.
void cache_destroy(struct cache *cache);

// Waits until Redis answers, at most timeout_ms; logs that it waits.
struct status cache_wait(struct cache *cache, int64_t timeout_ms);

// Receives the outcome, once, on the cache's thread: it must not block or call cache_call. The value
// and the status' message are valid during the call.
typedef void cache_done(void *context, struct status st, const struct cache_value *value);

// Submits without waiting. deadline_us is on the monotonic clock, 0 for none. On OK done is called
// later; on UNAVAILABLE or RESOURCE_EXHAUSTED (too many wait) it never is.
struct status cache_submit(struct cache *cache, struct cache_command command, int64_t deadline_us,
                           cache_done *done, void *context);

// Submits and waits until the deadline at most; the value is in the arena.
struct status cache_call(struct cache *cache, struct cache_command command, int64_t deadline_us,
                         struct arena *arena, struct cache_value *value);

// An advisory lock that spares duplicate work and guarantees nothing: *taken says whether the key now
// belongs to `owner`, for ttl_ms.
struct status cache_lease_take(struct cache *cache, const char *key, const char *owner,
                               int64_t ttl_ms, int64_t deadline_us, bool *taken);

// Gives the key back if it still belongs to `owner`.
struct status cache_lease_release(struct cache *cache, const char *key, const char *owner,
                                  int64_t deadline_us);

DEFINE_SCOPED(cache, cache_destroy)
