// The side of the callers: the queue, and waiting for replies.
//
// Invariant: requests wait only while `up` is true, so that a caller is never held up by a server
// that is away. A request belongs to the queue until the thread takes it, then to the thread.

#include "lib/cache/worker.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/base/thread.h"

#include <assert.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { QUEUE_MAX = 10000, WORDS_MAX = 1024 };

static struct cache_metrics register_metrics(void)
{
    const char *failures = "baro_cache_failures_total", *help = "Commands without a good reply";
    return (struct cache_metrics){
        .commands = metrics_counter("baro_cache_commands_total", "Commands sent to Redis", NULL),
        .batch = metrics_size("baro_cache_batch_size", "Commands in one pipeline", NULL),
        .refused = metrics_counter(failures, help, "kind=\"refused\""),
        .failed = metrics_counter(failures, help, "kind=\"failed\""),
        .connected = metrics_gauge("baro_cache_connected", "1 while Redis answers", NULL),
    };
}

// Waits for the condition; false once the deadline (0: none) has passed.
static bool wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_us)
{
    if (!deadline_us)
        return pthread_cond_wait(cond, lock) == 0;
    return condition_wait_until(cond, lock, deadline_us);
}

static void wake(struct cache *cache)
{
    uint64_t one = 1;
    (void)!write(cache->wake_fd, &one, sizeof(one));
}

// Signals are for the main thread.
static void start_thread(struct cache *cache)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_start(&cache->thread, cache_run, cache);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct status cache_create(const char *url, struct cache **cache)
{
    struct cache_address address;
    struct status st = cache_address_parse(url, &address);
    if (failed(st))
        return st;
    struct cache *made = memory_alloc(sizeof(*made));
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        abort();
    made->address = address;
    made->metrics = register_metrics();
    made->wake_fd = wake_fd;
    made->last = &made->first;
    made->scratch = arena_create();
    pthread_mutex_init(&made->lock, NULL);
    condition_init(&made->changed);
    start_thread(made);
    *cache = made;
    return OK;
}

void cache_destroy(struct cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_lock(&cache->lock);
    cache->stopping = true;
    pthread_mutex_unlock(&cache->lock);
    wake(cache);
    pthread_join(cache->thread, NULL);
    close(cache->wake_fd);
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->lock);
    arena_destroy(cache->scratch);
    cache_address_fini(&cache->address);
    free(cache->scripts);
    free(cache);
}

struct status cache_wait(struct cache *cache, int64_t timeout_ms)
{
    int64_t deadline_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    pthread_mutex_lock(&cache->lock);
    if (!cache->up)
        log_info("waiting for redis");
    while (!cache->up && wait_until(&cache->changed, &cache->lock, deadline_us))
        continue;
    bool up = cache->up;
    pthread_mutex_unlock(&cache->lock);
    return up ? OK : refuse(REASON_UNAVAILABLE, "Redis does not answer");
}

// The SHA-1 of a script, computed once. Call with the lock held; valid while it is.
static const char *sha_of(struct cache *cache, const struct cache_script *script)
{
    for (size_t i = 0; i < cache->script_count; i++)
        if (cache->scripts[i].script == script)
            return cache->scripts[i].sha;
    unsigned char digest[20];
    if (!EVP_Digest(script->source, strlen(script->source), digest, NULL, EVP_sha1(), NULL))
        abort();
    cache->scripts =
        memory_resize(cache->scripts, cache->script_count + 1, sizeof(*cache->scripts));
    struct known_script *known = &cache->scripts[cache->script_count++];
    known->script = script;
    sodium_bin2hex(known->sha, sizeof(known->sha), digest, sizeof(digest));
    return known->sha;
}

// The command in Redis' protocol, in memory of hiredis.
static struct request *make_request(struct cache *cache, const struct cache_command *command)
{
    struct request *request = memory_alloc(sizeof(*request));
    const char *words[WORDS_MAX];
    size_t lengths[WORDS_MAX], count = 0;
    char sha[41], keys[21];
    assert(command->count > 0 && command->count + 3 <= WORDS_MAX);
    if (command->script) {
        snprintf(keys, sizeof(keys), "%zu", command->key_count);
        pthread_mutex_lock(&cache->lock);
        memcpy(sha, sha_of(cache, command->script), sizeof(sha));
        pthread_mutex_unlock(&cache->lock);
        const char *prefix[] = {"EVALSHA", sha, keys};
        for (; count < COUNT(prefix); count++) {
            words[count] = prefix[count];
            lengths[count] = strlen(prefix[count]);
        }
    }
    for (size_t i = 0; i < command->count; i++, count++) {
        words[count] = command->words[i];
        lengths[count] = command->lengths ? command->lengths[i] : strlen(command->words[i]);
    }
    long long length = redisFormatCommandArgv(&request->bytes, (int)count, words, lengths);
    if (length < 0)
        abort();
    request->length = (size_t)length;
    request->script = command->script;
    return request;
}

static void free_request(struct request *request)
{
    redisFreeCommand(request->bytes);
    free(request);
}

// Puts the request into the queue. On failure the caller still owns it.
static struct status enqueue(struct cache *cache, struct request *request)
{
    pthread_mutex_lock(&cache->lock);
    bool up = cache->up, full = cache->waiting >= QUEUE_MAX, first = cache->waiting == 0;
    if (up && !full) {
        *cache->last = request;
        cache->last = &request->next;
        cache->waiting++;
    }
    pthread_mutex_unlock(&cache->lock);
    if (up && !full) {
        if (first)
            wake(cache);
        return OK;
    }
    metric_add(cache->metrics.refused, 1);
    return up ? refuse(REASON_OVERLOADED, "too many commands wait for Redis")
              : refuse(REASON_UNAVAILABLE, "Redis does not answer");
}

struct request *cache_take(struct cache *cache, size_t most)
{
    pthread_mutex_lock(&cache->lock);
    struct request *taken = cache->first, **end = &cache->first;
    size_t count = 0;
    for (; *end && count < most; count++)
        end = &(*end)->next;
    struct request *rest = *end;
    *end = NULL;
    cache->first = rest;
    if (!rest)
        cache->last = &cache->first;
    cache->waiting -= count;
    pthread_mutex_unlock(&cache->lock);
    return count ? taken : NULL;
}

static struct waiter *waiter_create(void)
{
    struct waiter *waiter = memory_alloc(sizeof(*waiter));
    pthread_mutex_init(&waiter->lock, NULL);
    condition_init(&waiter->finished);
    waiter->holders = 2;
    return waiter;
}

// Lets go of one hold on a locked waiter; the last one frees it.
static void waiter_release(struct waiter *waiter)
{
    bool last = --waiter->holders == 0;
    pthread_mutex_unlock(&waiter->lock);
    if (!last)
        return;
    freeReplyObject(waiter->reply);
    pthread_cond_destroy(&waiter->finished);
    pthread_mutex_destroy(&waiter->lock);
    free(waiter);
}

static void hand_to_waiter(struct waiter *waiter, struct status st, redisReply *reply)
{
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    waiter->status = st;
    waiter->reply = reply;
    pthread_cond_signal(&waiter->finished);
    waiter_release(waiter);
}

void cache_finish(struct cache *cache, struct request *request, struct status st, redisReply *reply)
{
    if (failed(st))
        metric_add(cache->metrics.failed, 1);
    if (request->waiter) {
        hand_to_waiter(request->waiter, st, reply);
    } else {
        struct cache_value value = {.kind = CACHE_NIL};
        if (reply && !failed(st))
            value = cache_value_of_reply(cache->scratch, reply);
        request->done(request->context, st, &value);
        freeReplyObject(reply);
    }
    free_request(request);
}

struct status cache_submit(struct cache *cache, struct cache_command command, int64_t deadline_us,
                           cache_done *done, void *context)
{
    struct request *request = make_request(cache, &command);
    request->deadline_us = deadline_us;
    request->done = done;
    request->context = context;
    struct status st = enqueue(cache, request);
    if (failed(st))
        free_request(request);
    return st;
}

// What the waiter knows when the wait is over, with everything copied into the arena.
static struct status outcome(const struct waiter *waiter, struct arena *arena,
                             struct cache_value *value)
{
    if (!waiter->done)
        return refuse(REASON_DEADLINE_EXCEEDED, "Redis did not answer in time");
    struct status st = waiter->status;
    if (failed(st))
        st = status_keep(st, arena);
    else
        *value = cache_value_of_reply(arena, waiter->reply);
    return st;
}

struct status cache_call(struct cache *cache, struct cache_command command, int64_t deadline_us,
                         struct arena *arena, struct cache_value *value)
{
    struct request *request = make_request(cache, &command);
    struct waiter *waiter = waiter_create();
    request->deadline_us = deadline_us;
    request->waiter = waiter;
    struct status st = enqueue(cache, request);
    pthread_mutex_lock(&waiter->lock);
    if (failed(st)) {
        free_request(request);
        waiter->holders = 1;
        waiter_release(waiter);
        return st;
    }
    while (!waiter->done && wait_until(&waiter->finished, &waiter->lock, deadline_us))
        continue;
    st = outcome(waiter, arena, value);
    waiter_release(waiter);
    return st;
}
