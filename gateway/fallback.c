// A set-associative table like that of token_cache.c: in a full set the bucket whose window began
// first goes, which forgives somebody. Nothing is allocated after the start and nothing is swept.

#include "gateway/fallback.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 4096, WAYS = 4 };

struct bucket {
    uint64_t name;
    uint64_t request; // the last one
    int64_t began_us;
    int64_t used; // 0: free
};

struct fallback {
    pthread_mutex_t lock;
    uint8_t key[crypto_shorthash_KEYBYTES];
    struct bucket sets[SETS][WAYS];
};

struct fallback *fallback_create(void)
{
    struct fallback *fallback = memory_alloc(sizeof(*fallback));
    pthread_mutex_init(&fallback->lock, NULL);
    crypto_shorthash_keygen(fallback->key);
    return fallback;
}

void fallback_destroy(struct fallback *fallback)
{
    if (!fallback)
        return;
    pthread_mutex_destroy(&fallback->lock);
    free(fallback);
}

static uint64_t hash(const struct fallback *fallback, const char *text)
{
    uint64_t number;
    static_assert(sizeof(number) == crypto_shorthash_BYTES, "one hash is one number");
    crypto_shorthash((uint8_t *)&number, (const uint8_t *)text, strlen(text), fallback->key);
    return number;
}

// The bucket of a name; what is over is free again, and in a full set the oldest is given away.
static struct bucket *find_bucket(struct fallback *fallback, const char *text, int64_t window_us,
                                  int64_t now_us)
{
    uint64_t name = hash(fallback, text);
    struct bucket *set = fallback->sets[name % SETS], *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used > 0 && set[i].name == name) {
            if (now_us - set[i].began_us >= window_us)
                set[i].used = 0;
            return &set[i];
        }
        if (set[i].used == 0 || (oldest->used > 0 && set[i].began_us < oldest->began_us))
            oldest = &set[i];
    }
    *oldest = (struct bucket){.name = name};
    return oldest;
}

static void spend(struct bucket *bucket, uint64_t request, int64_t now_us)
{
    if (bucket->used == 0)
        bucket->began_us = now_us;
    bucket->used++;
    bucket->request = request;
}

struct limit_answer fallback_take(struct fallback *fallback, const char *const *names, size_t count,
                                  struct setting_rate rate, const char *request, int64_t now_us)
{
    int64_t window_us = rate.window_ms * US_PER_MS;
    uint64_t number = hash(fallback, request);
    struct bucket *buckets[FALLBACK_BUCKETS_MAX];
    struct limit_answer answer = {.remaining = rate.count, .repeated = count > 0};
    assert(count <= FALLBACK_BUCKETS_MAX);

    pthread_mutex_lock(&fallback->lock);
    for (size_t i = 0; i < count; i++) {
        struct bucket *bucket = buckets[i] = find_bucket(fallback, names[i], window_us, now_us);
        int64_t left = rate.count - bucket->used;
        int64_t left_us = bucket->used ? bucket->began_us + window_us - now_us : window_us;
        int64_t reset_ms = (left_us + US_PER_MS - 1) / US_PER_MS;
        answer.repeated = answer.repeated && bucket->used > 0 && bucket->request == number;
        answer.remaining = left < answer.remaining ? left : answer.remaining;
        answer.reset_ms = reset_ms > answer.reset_ms ? reset_ms : answer.reset_ms;
    }
    if (!answer.repeated && count > 0 && answer.remaining <= 0)
        answer.verdict = LIMIT_EXCEEDED;
    else if (!answer.repeated && count > 0)
        answer.remaining--;
    for (size_t i = 0; i < count && !answer.repeated && answer.verdict == LIMIT_PASSED; i++)
        spend(buckets[i], number, now_us);
    pthread_mutex_unlock(&fallback->lock);
    return answer;
}
