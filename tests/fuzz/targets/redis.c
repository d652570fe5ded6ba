// What comes from Redis' socket, in its protocol, as the answers to what the limits ask: whatever it is,
// the one who asks is told something that can be acted on, once.

#include "gateway/limits.h"
#include "lib/cache/prompt.h"
#include "lib/cache/worker.h"
#include "tests/fuzz/fuzz.h"

static const struct cache_value *reply;

// Stand in for the connection to Redis: the reply is there already.
struct status prompt_create(const char *url, int64_t deadline_ms, struct prompt **prompt)
{
    (void)url, (void)deadline_ms;
    *prompt = NULL;
    return OK;
}

void prompt_ask(struct prompt *prompt, struct cache_command command, prompt_done *done, void *arg)
{
    (void)prompt, (void)command;
    done(arg, reply);
}

void prompt_stop(struct prompt *prompt)
{
    (void)prompt;
}

void prompt_destroy(struct prompt *prompt)
{
    (void)prompt;
}

static void told(void *arg, const struct limit_answer *answer)
{
    assert(answer->verdict <= LIMIT_BLOCKED);
    ++*(int *)arg;
}

static void ask(struct limits *limits)
{
    static const enum limit asked[] = {LIMIT_ORDERS, LIMIT_CHECKOUT, LIMIT_CLAIMS, LIMIT_LOGINS};
    struct limit_subject subject = {"user:7", "request"};
    int answers = 0;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        limits_take(limits, asked[i], subject, told, &answers);
    limits_record(limits, LIMIT_ORDERS, subject, false, told, &answers);
    assert(answers == sizeof(asked) / sizeof(asked[0]) + 1);
}

static struct limits *start(void)
{
    static const struct setting_rate rate = {5, 60000};
    struct limits *limits;
    struct limits_settings settings = {"redis://127.0.0.1", rate, rate, rate, rate};
    struct status st = limits_create(&settings, &limits);
    assert(!failed(st));
    return limits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct limits *limits;
    struct arena *arena = input_arena();
    if (!limits)
        limits = start();
    redisReader *reader = redisReaderCreate();
    reader->maxelements = REPLY_ELEMENTS_MAX;
    void *found = NULL;
    redisReaderFeed(reader, (const char *)data, size);
    while (redisReaderGetReply(reader, &found) == REDIS_OK && found) {
        struct status st = cache_status_of_reply(found);
        struct cache_value value = cache_value_of_reply(arena, found);
        reply = failed(st) ? NULL : &value;
        ask(limits);
        freeReplyObject(found);
    }
    redisReaderFree(reader);
    return 0;
}
