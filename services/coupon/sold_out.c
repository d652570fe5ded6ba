// A hint is one string: the epoch in 20 digits, then a Bloom filter of the owners. The filter may take
// a stranger for an owner (one of 400), who then asks PostgreSQL in vain; never an owner for a
// stranger.
//
// Who writes may be late: it has read PostgreSQL before a change and comes to Redis after it. So a
// change leaves its epoch behind for longer than anybody is late, and hints of earlier ones are not
// taken.

#include "services/coupon/sold_out.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/cache/prompt.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_MS = 100,
    WRITE_MS = 100,
    CHANGE_KEPT_MS = 60000,
    EPOCH_DIGITS = 20,
    HASHES = 4,
    FILTER_BYTES_MIN = 64,
    FILTER_BYTES_EACH = 2,
};

// KEYS: hint. ARGV: four hashes of the user. 1: sold out, and the user has none.
static const struct cache_script ASK = {
    "local bits = (redis.call('STRLEN', KEYS[1]) - 20) * 8 "
    "if bits <= 0 then return 0 end "
    "for i = 1, #ARGV do "
    "  if redis.call('GETBIT', KEYS[1], 160 + ARGV[i] % bits) == 0 then return 1 end "
    "end "
    "return 0"};

// KEYS: hint. ARGV: epoch, life.
static const struct cache_script RENEW = {
    "if redis.call('GETRANGE', KEYS[1], 0, 19) ~= ARGV[1] then return 0 end "
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2])"};

// KEYS: hint, change. ARGV: epoch, life, filter.
static const struct cache_script WRITE = {
    "local changed = redis.call('GET', KEYS[2]) "
    "if changed and changed > ARGV[1] then return 0 end "
    "redis.call('SET', KEYS[1], ARGV[1] .. ARGV[3], 'PX', ARGV[2]) "
    "return 1"};

// KEYS: hint, change. ARGV: epoch, how long to remember it.
static const struct cache_script FORGET = {"local changed = redis.call('GET', KEYS[2]) "
                                           "if not changed or changed < ARGV[1] then "
                                           "redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) end "
                                           "return redis.call('DEL', KEYS[1])"};

struct sold_out {
    struct prompt *prompt; // for those who ask
    struct cache *cache;   // for the job and for changes, which may wait
    struct metric *refused;
};

struct status sold_out_create(const char *redis_url, struct sold_out **hints)
{
    struct prompt *prompt;
    struct cache *cache;
    struct status st = prompt_create(redis_url, ASK_MS, &prompt);
    if (failed(st))
        return st;
    st = cache_create(redis_url, &cache);
    assert(!failed(st)); // the URL was good
    struct sold_out *made = memory_alloc(sizeof(*made));
    made->prompt = prompt;
    made->cache = cache;
    made->refused = metrics_counter("baro_coupon_early_refusals_total",
                                    "Claims that Redis knew to be in vain", NULL);
    *hints = made;
    return OK;
}

void sold_out_stop(struct sold_out *hints)
{
    if (hints)
        prompt_stop(hints->prompt);
}

void sold_out_destroy(struct sold_out *hints)
{
    if (!hints)
        return;
    prompt_stop(hints->prompt);
    prompt_destroy(hints->prompt);
    cache_destroy(hints->cache);
    free(hints);
}

static void hash_user(int64_t user_id, uint32_t hashes[HASHES])
{
    uint8_t hash[HASHES * sizeof(uint32_t)];
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)&user_id, sizeof(user_id), NULL, 0);
    memcpy(hashes, hash, sizeof(hash));
}

// Redis counts bits from the most significant.
static void set_bit(uint8_t *filter, uint32_t bit)
{
    filter[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

static char *make_filter(const int64_t *owners, size_t count, size_t *size)
{
    *size = FILTER_BYTES_EACH * count;
    if (*size < FILTER_BYTES_MIN)
        *size = FILTER_BYTES_MIN;
    uint8_t *filter = memory_alloc(*size);
    for (size_t i = 0; i < count; i++) {
        uint32_t hashes[HASHES];
        hash_user(owners[i], hashes);
        for (size_t h = 0; h < HASHES; h++)
            set_bit(filter, hashes[h] % (uint32_t)(*size * 8));
    }
    return (char *)filter;
}

// The words of the scripts: two keys, and numbers as text.
struct words {
    char hint[48], change[48], epoch[EPOCH_DIGITS + 1], life[24];
};

static struct words words_of(int64_t campaign_id, int64_t epoch, int64_t life_ms)
{
    struct words words;
    snprintf(words.hint, sizeof(words.hint), "baro:coupon:{%lld}:sold_out", (long long)campaign_id);
    snprintf(words.change, sizeof(words.change), "baro:coupon:{%lld}:change",
             (long long)campaign_id);
    snprintf(words.epoch, sizeof(words.epoch), "%0*lld", EPOCH_DIGITS, (long long)epoch);
    snprintf(words.life, sizeof(words.life), "%lld", (long long)life_ms);
    return words;
}

struct question {
    struct metric *refused;
    sold_out_told *told;
    void *arg;
};

static void answered(void *arg, const struct cache_value *value)
{
    struct question question = *(struct question *)arg;
    bool sold_out = value && value->kind == CACHE_INTEGER && value->number == 1;
    free(arg);
    metric_add(question.refused, sold_out);
    question.told(question.arg, sold_out);
}

void sold_out_ask(struct sold_out *hints, int64_t campaign_id, int64_t user_id, sold_out_told *told,
                  void *arg)
{
    struct question *question = memory_alloc(sizeof(*question));
    *question = (struct question){hints->refused, told, arg};
    struct words words = words_of(campaign_id, 0, 0);
    uint32_t hashes[HASHES];
    char numbers[HASHES][12];
    hash_user(user_id, hashes);
    for (size_t h = 0; h < HASHES; h++)
        snprintf(numbers[h], sizeof(numbers[h]), "%u", hashes[h]);
    const char *list[] = {words.hint, numbers[0], numbers[1], numbers[2], numbers[3]};
    prompt_ask(
        hints->prompt,
        (struct cache_command){.script = &ASK, .key_count = 1, .words = list, .count = COUNT(list)},
        answered, question);
}

// True when the script has done what it is for.
static bool run(struct sold_out *hints, struct cache_command command)
{
    SCOPED(arena) *arena = arena_create();
    struct cache_value value = {.kind = CACHE_NIL};
    struct status st = cache_call(hints->cache, command,
                                  clock_monotonic_us() + WRITE_MS * US_PER_MS, arena, &value);
    return !failed(st) && value.kind == CACHE_INTEGER && value.number == 1;
}

static int64_t life_ms(const struct sold_out_campaign *campaign)
{
    return campaign->open_for_ms < SOLD_OUT_LIFE_MS ? campaign->open_for_ms : SOLD_OUT_LIFE_MS;
}

bool sold_out_renew(struct sold_out *hints, const struct sold_out_campaign *campaign)
{
    struct words words = words_of(campaign->id, campaign->epoch, life_ms(campaign));
    const char *list[] = {words.hint, words.epoch, words.life};
    return run(hints, (struct cache_command){&RENEW, 1, list, NULL, COUNT(list)});
}

bool sold_out_write(struct sold_out *hints, const struct sold_out_campaign *campaign,
                    const int64_t *owners, size_t count)
{
    struct words words = words_of(campaign->id, campaign->epoch, life_ms(campaign));
    size_t size;
    char *filter = make_filter(owners, count, &size);
    const char *list[] = {words.hint, words.change, words.epoch, words.life, filter};
    size_t lengths[] = {strlen(words.hint), strlen(words.change), EPOCH_DIGITS, strlen(words.life),
                        size};
    bool written = run(hints, (struct cache_command){&WRITE, 2, list, lengths, COUNT(list)});
    free(filter);
    return written;
}

void sold_out_forget(struct sold_out *hints, int64_t campaign_id, int64_t epoch)
{
    struct words words = words_of(campaign_id, epoch, CHANGE_KEPT_MS);
    const char *list[] = {words.hint, words.change, words.epoch, words.life};
    run(hints, (struct cache_command){&FORGET, 2, list, NULL, COUNT(list)});
}
