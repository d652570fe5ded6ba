// What is counted is a table; two scripts do the counting, each on keys of one hash slot.
//
// A limit is a sorted set of the requests of the last window, by the time of Redis' clock, so no
// two gateways disagree and no window ever holds more than the limit. A block is a key that expires.
// The failures in a row are sets of requests, so that a repeated refusal counts once.

#include "gateway/limits.h"

#include "gateway/fallback.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/cache/prompt.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEADLINE_MS = 100,
    MEMORY_MS = MS_PER_DAY, // failures in a row are forgotten after so long without one
    WORD_MAX = 128,
    WORDS_MAX = 9,
};

#define RATE(field) offsetof(struct limits_settings, field)

// Orders and payments have buckets of their own, so that one can be paid at once; a checkout is both.
// A payment that succeeds ends the row of all failures, an order that is placed only that of orders:
// it may fail yet.
// clang-format off: the rows are named
static const struct kind {
    const char *name;
    size_t rate;
    const char *buckets[FALLBACK_BUCKETS_MAX];
    const char *row;   // of failures that these extend; NULL: they never block
    const char *other; // the other row that counts
    bool ends_all;     // a success ends both rows
} kinds[LIMIT_COUNT] = {
    [LIMIT_ORDERS]   = {"orders",   RATE(orders), {"orders"},             "orders",   "payments", false},
    [LIMIT_PAYMENTS] = {"payments", RATE(orders), {"payments"},           "payments", "orders",   true},
    [LIMIT_CHECKOUT] = {"checkout", RATE(orders), {"orders", "payments"}, "payments", "orders",   true},
    [LIMIT_CLAIMS]   = {"claims",   RATE(claims), {"claims"},             NULL,       NULL,       false},
    [LIMIT_LOGINS]   = {"logins",   RATE(logins), {"logins"},             NULL,       NULL,       false},
};
// clang-format on

// KEYS: the buckets, then perhaps the block and the failures. ARGV: number of buckets, count, window
// in microseconds, request. -> verdict, remaining, reset in ms, repeated, failures.
static const struct cache_script take_script = {
    "local clock = redis.call('TIME')\n"
    "local now = clock[1] * 1000000 + clock[2]\n"
    "local buckets, count, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local failures = 0\n"
    "if #KEYS > buckets then\n"
    "  local blocked = redis.call('PTTL', KEYS[buckets + 1])\n"
    "  if blocked > 0 then return {2, 0, blocked, 0, 1} end\n"
    "  failures = redis.call('EXISTS', KEYS[buckets + 2], KEYS[buckets + 3])\n"
    "end\n"
    "local left, reset, fresh = count, math.ceil(window / 1000), {}\n"
    "for i = 1, buckets do\n"
    "  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - window)\n"
    "  local oldest = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2]\n"
    "  local free = count - redis.call('ZCARD', KEYS[i])\n"
    "  local wait = math.ceil(((oldest or now) + window - now) / 1000)\n"
    "  if free < left or (free == left and wait > reset) then left, reset = free, wait end\n"
    "  if not redis.call('ZSCORE', KEYS[i], ARGV[4]) then fresh[#fresh + 1] = KEYS[i] end\n"
    "end\n"
    "if buckets > 0 and #fresh == 0 then return {0, left, reset, 1, failures} end\n"
    "if #fresh > 0 and left <= 0 then return {1, 0, reset, 0, failures} end\n"
    "for _, key in ipairs(fresh) do\n"
    "  redis.call('ZADD', key, now, ARGV[4])\n"
    "  redis.call('PEXPIRE', key, math.ceil(window / 1000))\n"
    "end\n"
    "return {0, left - 1, reset, 0, failures}\n"};

// KEYS: the block, the failures that this one extends, the other failures. ARGV: request, count, block
// in ms, memory in ms.
static const struct cache_script fail_script = {
    "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end\n"
    "redis.call('SADD', KEYS[2], ARGV[1])\n"
    "redis.call('PEXPIRE', KEYS[2], ARGV[4])\n"
    "local row = redis.call('SCARD', KEYS[2]) + redis.call('SCARD', KEYS[3])\n"
    "if row < tonumber(ARGV[2]) then return 0 end\n"
    "redis.call('SET', KEYS[1], row, 'PX', ARGV[3])\n"
    "redis.call('DEL', KEYS[2], KEYS[3])\n"
    "return 1\n"};

enum purpose { TAKE, FAIL, END };

// One command to Redis, and what it is for. Words: the keys, then the arguments.
struct question {
    struct limits *limits;
    enum purpose purpose;
    enum limit limit;
    char words[WORDS_MAX][WORD_MAX];
    size_t word_count;
    size_t key_count;
    size_t bucket_count; // of the keys, which come first
    limit_done *done;
    void *arg;
};

struct limits {
    struct limits_settings settings;
    struct fallback *fallback;
    struct prompt *prompt; // NULL: everything is off
    struct metric *exceeded[LIMIT_COUNT];
    struct metric *fell_back, *refused_blocked, *blocks;
};

struct limit_policy limits_policy(const struct limits *limits, enum limit limit)
{
    struct limit_policy policy = {.name = kinds[limit].name};
    if (limit != NO_LIMIT)
        memcpy(&policy.rate, (const char *)&limits->settings + kinds[limit].rate,
               sizeof(policy.rate));
    return policy;
}

struct limit_policy limits_block_policy(const struct limits *limits, enum limit limit)
{
    struct limit_policy policy = {.name = "failures"};
    if (kinds[limit].row)
        policy.rate = limits->settings.failures;
    return policy;
}

static void add_word(struct question *question, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_word(struct question *question, const char *format, ...)
{
    va_list args;
    assert(question->word_count < WORDS_MAX);
    va_start(args, format);
    int length = vsnprintf(question->words[question->word_count++], WORD_MAX, format, args);
    va_end(args);
    assert(length < WORD_MAX);
    (void)length;
}

// "baro:{user:7}:limit:orders": what stands in braces chooses the slot of a cluster.
static void add_key(struct question *question, const char *who, const char *what, const char *name)
{
    add_word(question, "baro:{%s}:%s:%s", who, what, name);
    question->key_count++;
}

static struct question *question_create(struct limits *limits, enum purpose purpose,
                                        enum limit limit)
{
    struct question *question = memory_alloc(sizeof(*question));
    question->limits = limits;
    question->purpose = purpose;
    question->limit = limit;
    return question;
}

static struct limit_answer fall_back(struct question *question)
{
    struct limits *limits = question->limits;
    const char *names[FALLBACK_BUCKETS_MAX] = {0};
    for (size_t i = 0; i < question->bucket_count; i++)
        names[i] = question->words[i];
    const char *request = question->words[question->word_count - 1];
    struct limit_answer answer =
        fallback_take(limits->fallback, names, question->bucket_count,
                      limits_policy(limits, question->limit).rate, request, clock_monotonic_us());
    answer.failures = true;
    metric_add(limits->fell_back, 1);
    return answer;
}

static bool read_answer(const struct cache_value *value, struct limit_answer *answer)
{
    enum { NUMBERS = 5 };
    if (!value || value->kind != CACHE_ARRAY || value->count != NUMBERS)
        return false;
    for (size_t i = 0; i < NUMBERS; i++)
        if (value->items[i].kind != CACHE_INTEGER)
            return false;
    if (value->items[0].number < LIMIT_PASSED || value->items[0].number > LIMIT_BLOCKED)
        return false;
    *answer = (struct limit_answer){
        .verdict = (enum limit_verdict)value->items[0].number,
        .remaining = value->items[1].number,
        .reset_ms = value->items[2].number,
        .repeated = value->items[3].number != 0,
        .failures = value->items[4].number != 0,
    };
    return true;
}

static void count_verdict(struct question *question, enum limit_verdict verdict)
{
    if (verdict == LIMIT_EXCEEDED)
        metric_add(question->limits->exceeded[question->limit], 1);
    if (verdict == LIMIT_BLOCKED)
        metric_add(question->limits->refused_blocked, 1);
}

static void answered(void *arg, const struct cache_value *value)
{
    struct question *question = arg;
    struct limit_answer answer = {0};
    if (question->purpose == TAKE && !read_answer(value, &answer))
        answer = fall_back(question);
    if (question->purpose == FAIL && value && value->kind == CACHE_INTEGER && value->number == 1)
        metric_add(question->limits->blocks, 1);
    count_verdict(question, answer.verdict);
    question->done(question->arg, &answer);
    free(question);
}

static void ask(struct question *question, const struct cache_script *script, limit_done *done,
                void *arg)
{
    const char *words[WORDS_MAX];
    for (size_t i = 0; i < question->word_count; i++)
        words[i] = question->words[i];
    question->done = done;
    question->arg = arg;
    struct cache_command command = {.script = script,
                                    .key_count = question->key_count,
                                    .words = words,
                                    .count = question->word_count};
    prompt_ask(question->limits->prompt, command, answered, question);
}

void limits_take(struct limits *limits, enum limit limit, struct limit_subject subject,
                 limit_done *done, void *arg)
{
    const struct kind *kind = &kinds[limit];
    struct setting_rate rate = limits_policy(limits, limit).rate;
    bool blocks = limits_block_policy(limits, limit).rate.count > 0;
    if (rate.count == 0 && !blocks) {
        done(arg, &(struct limit_answer){.verdict = LIMIT_PASSED});
        return;
    }
    struct question *question = question_create(limits, TAKE, limit);
    for (size_t i = 0; rate.count > 0 && i < FALLBACK_BUCKETS_MAX && kind->buckets[i]; i++)
        add_key(question, subject.who, "limit", kind->buckets[i]);
    question->bucket_count = question->key_count;
    if (blocks) {
        add_key(question, subject.who, "blocked", "orders");
        add_key(question, subject.who, "failed", kind->row);
        add_key(question, subject.who, "failed", kind->other);
    }
    add_word(question, "%zu", question->bucket_count);
    add_word(question, "%lld", (long long)rate.count);
    add_word(question, "%lld", (long long)rate.window_ms * US_PER_MS);
    add_word(question, "%s", subject.request);
    ask(question, &take_script, done, arg);
}

static void record_failure(struct question *question, const struct kind *kind,
                           struct limit_subject subject)
{
    struct setting_rate rate = question->limits->settings.failures;
    add_key(question, subject.who, "blocked", "orders");
    add_key(question, subject.who, "failed", kind->row);
    add_key(question, subject.who, "failed", kind->other);
    add_word(question, "%s", subject.request);
    add_word(question, "%lld", (long long)rate.count);
    add_word(question, "%lld", (long long)rate.window_ms);
    add_word(question, "%d", MEMORY_MS);
}

static void record_success(struct question *question, const struct kind *kind,
                           struct limit_subject subject)
{
    add_word(question, "DEL");
    add_key(question, subject.who, "failed", kind->row);
    if (kind->ends_all)
        add_key(question, subject.who, "failed", kind->other);
}

void limits_record(struct limits *limits, enum limit limit, struct limit_subject subject,
                   bool success, limit_done *done, void *arg)
{
    const struct kind *kind = &kinds[limit];
    if (limits_block_policy(limits, limit).rate.count == 0) {
        done(arg, &(struct limit_answer){.verdict = LIMIT_PASSED});
        return;
    }
    struct question *question = question_create(limits, success ? END : FAIL, limit);
    if (success)
        record_success(question, kind, subject);
    else
        record_failure(question, kind, subject);
    ask(question, success ? NULL : &fail_script, done, arg);
}

static void register_metrics(struct limits *limits)
{
    const char *refused = "baro_limit_refused_total", *help = "Requests that a limit refused";
    for (size_t i = NO_LIMIT + 1; i < LIMIT_COUNT; i++) {
        char label[64];
        snprintf(label, sizeof(label), "limit=\"%s\"", kinds[i].name);
        limits->exceeded[i] = metrics_counter(refused, help, label);
    }
    limits->refused_blocked = metrics_counter(refused, help, "limit=\"failures\"");
    limits->blocks =
        metrics_counter("baro_limit_blocks_total", "Users blocked after failures in a row", NULL);
    limits->fell_back = metrics_counter("baro_limit_fallback_total",
                                        "Requests counted here because Redis did not answer", NULL);
}

struct status limits_create(const struct limits_settings *settings, struct limits **limits)
{
    struct prompt *prompt = NULL;
    struct status st = OK;
    if (settings->orders.count || settings->claims.count || settings->logins.count ||
        settings->failures.count)
        st = prompt_create(settings->redis_url, DEADLINE_MS, &prompt);
    if (failed(st))
        return st;
    struct limits *made = memory_alloc(sizeof(*made));
    made->settings = *settings;
    made->fallback = fallback_create();
    made->prompt = prompt;
    register_metrics(made);
    *limits = made;
    return OK;
}

void limits_stop(struct limits *limits)
{
    if (limits)
        prompt_stop(limits->prompt);
}

void limits_destroy(struct limits *limits)
{
    if (!limits)
        return;
    prompt_destroy(limits->prompt);
    fallback_destroy(limits->fallback);
    free(limits);
}
