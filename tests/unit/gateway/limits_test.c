// Replies that no script of ours gives: a Redis that lies, or somebody in its place. Whoever asks is told
// what this process knows by itself, and nothing is counted.

#include "gateway/limits.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/cache/prompt.h"

#include <criterion/criterion.h>
#include <limits.h>

static const struct cache_value *reply;

// Stand in for the connection: the reply is there already.
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

static struct limits *given_limits(void)
{
    const struct setting_rate rate = {5, 60000};
    const struct limits_settings settings = {"redis://127.0.0.1", rate, rate, rate, rate};
    struct limits *limits;
    cr_assert_not(failed(limits_create(&settings, &limits)));
    return limits;
}

static void keep_answer(void *arg, const struct limit_answer *answer)
{
    *(struct limit_answer *)arg = *answer;
}

static struct limit_answer take(struct limits *limits, struct cache_value value)
{
    struct limit_answer answer = {0};
    reply = &value;
    limits_take(limits, LIMIT_CLAIMS, (struct limit_subject){"user:7", "r"}, keep_answer, &answer);
    return answer;
}

#define INTEGER(n) {.kind = CACHE_INTEGER, .number = (n)}

static struct cache_value numbers(struct cache_value five[5], int64_t verdict)
{
    five[0] = (struct cache_value)INTEGER(verdict);
    for (int i = 1; i < 5; i++)
        five[i] = (struct cache_value)INTEGER(77);
    return (struct cache_value){.kind = CACHE_ARRAY, .items = five, .count = 5};
}

Test(limits_reply, says_what_redis_says)
{
    struct cache_value five[5];
    struct limits *limits = given_limits();
    struct limit_answer answer = take(limits, numbers(five, LIMIT_EXCEEDED));
    cr_expect_eq(answer.verdict, LIMIT_EXCEEDED);
    cr_expect_eq(answer.remaining, 77);
    limits_stop(limits);
    limits_destroy(limits);
}

Test(limits_reply, that_makes_no_sense_leaves_the_limit_of_this_process)
{
    struct cache_value five[5], text[5];
    struct limits *limits = given_limits();
    numbers(text, LIMIT_PASSED);
    text[2] = (struct cache_value){.kind = CACHE_TEXT, .text = "soon", .length = 4};
    const struct cache_value wrong[] = {
        numbers(five, LIMIT_BLOCKED + 1),
        {.kind = CACHE_ARRAY, .items = text, .count = 5},
        {.kind = CACHE_ARRAY, .items = text, .count = 1},
        INTEGER(1),
        {.kind = CACHE_NIL},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct limit_answer answer = take(limits, wrong[i]);
        cr_expect_eq(answer.verdict, LIMIT_PASSED, "reply %zu", i);
        cr_expect_neq(answer.remaining, 77, "reply %zu", i);
        cr_expect(answer.failures, "reply %zu", i);
    }
    limits_stop(limits);
    limits_destroy(limits);
}

Test(limits_reply, counts_a_block_only_where_one_was_made)
{
    struct limits *limits = given_limits();
    const struct metric *blocks = metrics_counter("baro_limit_blocks_total", "", NULL);
    const struct cache_value replies[] = {
        INTEGER(-1), INTEGER(0), INTEGER(INT64_MAX), {.kind = CACHE_TEXT, .text = "1"},
           INTEGER(1),
    };
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct limit_answer answer;
        reply = &replies[i];
        limits_record(limits, LIMIT_ORDERS, (struct limit_subject){"user:7", "r"}, false,
                      keep_answer, &answer);
    }
    cr_expect_eq(metric_value(blocks), 1);
    limits_stop(limits);
    limits_destroy(limits);
}
