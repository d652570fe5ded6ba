// Commands, scripts and leases on a real Redis.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/cache/cache.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct cache *given_cache(void)
{
    struct cache *cache;
    struct status st = cache_create(test_redis_url(), &cache);
    cr_assert(!failed(st), "%s", st.message);
    cr_assert(!failed(cache_wait(cache, 5000)));
    return cache;
}

// A key that no other test uses.
static const char *key(struct arena *arena, const char *name)
{
    return text_printf(arena, "test:%d:%s", (int)getpid(), name);
}

static int64_t soon(void)
{
    return clock_monotonic_us() + 5 * US_PER_S;
}

#define COMMAND(...)                                                                               \
    ((struct cache_command){.words = (const char *const[]){__VA_ARGS__},                           \
                            .count = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)})

static struct cache_value ask(struct cache *cache, struct arena *arena,
                              struct cache_command command)
{
    struct cache_value value;
    struct status st = cache_call(cache, command, soon(), arena, &value);
    cr_assert(!failed(st), "%s", st.message);
    return value;
}

Test(cache, what_is_set_is_read_back_byte_for_byte)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    const char *words[] = {"SET", key(arena, "bytes"), "a\0b", "PX", "5000"};
    const size_t lengths[] = {3, strlen(words[1]), 3, 2, 4};
    ask(cache, arena, (struct cache_command){.words = words, .lengths = lengths, .count = 5});
    struct cache_value value = ask(cache, arena, COMMAND("GET", words[1]));
    cr_expect_eq(value.kind, CACHE_TEXT);
    cr_expect(value.length == 3 && memcmp(value.text, "a\0b", 4) == 0);
}

Test(cache, what_is_not_there_is_nil)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    cr_expect_eq(ask(cache, arena, COMMAND("GET", key(arena, "none"))).kind, CACHE_NIL);
}

Test(cache, replies_nest)
{
    static const struct cache_script nested = {
        "return {1, 'two', {3, false}, redis.error_reply('FOUR four')}"};
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    struct cache_value value =
        ask(cache, arena,
            (struct cache_command){.script = &nested, .words = &(const char *){"x"}, .count = 1});
    cr_assert_eq(value.kind, CACHE_ARRAY);
    cr_assert_eq(value.count, 4);
    cr_expect_eq(value.items[0].number, 1);
    cr_expect_str_eq(value.items[1].text, "two");
    cr_expect_eq(value.items[2].items[0].number, 3);
    cr_expect_eq(value.items[2].items[1].kind, CACHE_NIL);
    cr_expect_eq(value.items[3].kind, CACHE_ERROR);
}

Test(cache, an_error_reply_is_a_failure_of_that_command_only)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    struct cache_value value;
    struct status st = cache_call(cache, COMMAND("NONSENSE", "x"), soon(), arena, &value);
    cr_expect_eq(st.code, STATUS_INTERNAL);
    cr_expect(strstr(st.message, "NONSENSE"), "%s", st.message);
    cr_expect_str_eq(ask(cache, arena, COMMAND("PING")).text, "PONG");
}

Test(cache, a_script_runs_on_its_keys_and_arguments)
{
    static const struct cache_script add = {
        "return redis.call('INCRBY', KEYS[1], ARGV[1]) + #KEYS + #ARGV"};
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    const char *words[] = {key(arena, "sum"), "40"};
    struct cache_command command = {.script = &add, .key_count = 1, .words = words, .count = 2};
    cr_expect_eq(ask(cache, arena, command).number, 42);
    ask(cache, arena, COMMAND("SCRIPT", "FLUSH"));
    cr_expect_eq(ask(cache, arena, command).number, 82, "sent again with its source");
    ask(cache, arena, COMMAND("DEL", words[0]));
}

Test(cache, a_command_beyond_its_deadline_is_not_sent)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    struct cache_value value;
    const char *late = key(arena, "late");
    struct status st =
        cache_call(cache, COMMAND("SET", late, "1"), clock_monotonic_us() - 1, arena, &value);
    cr_expect_eq(st.code, STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(ask(cache, arena, COMMAND("EXISTS", late)).number, 0);
}

// Many threads that push numbers at once; each list must come out complete and in order.
enum { PUSHERS = 4, PUSHES = 2000 };

struct pusher {
    pthread_t thread;
    struct cache *cache;
    const char *key;
    atomic_int answered, failed;
};

static void count_answer(void *context, struct status st, const struct cache_value *value)
{
    struct pusher *pusher = context;
    if (failed(st) || value->kind != CACHE_INTEGER)
        atomic_fetch_add(&pusher->failed, 1);
    atomic_fetch_add(&pusher->answered, 1);
}

static void *push(void *context)
{
    struct pusher *pusher = context;
    for (int i = 0; i < PUSHES; i++) {
        char number[12];
        snprintf(number, sizeof(number), "%d", i);
        if (failed(cache_submit(pusher->cache, COMMAND("RPUSH", pusher->key, number), 0,
                                count_answer, pusher)))
            atomic_fetch_add(&pusher->failed, 1);
    }
    return NULL;
}

static void expect_in_order(struct cache *cache, struct arena *arena, const char *list)
{
    struct cache_value value = ask(cache, arena, COMMAND("LRANGE", list, "0", "-1"));
    cr_assert_eq(value.count, PUSHES);
    for (size_t i = 0; i < PUSHES; i++)
        cr_assert_str_eq(value.items[i].text, text_printf(arena, "%zu", i));
    ask(cache, arena, COMMAND("DEL", list));
}

Test(cache, what_waits_goes_out_together_and_in_order)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    static struct pusher pushers[PUSHERS];
    for (size_t i = 0; i < PUSHERS; i++) {
        pushers[i].cache = cache;
        pushers[i].key = key(arena, text_printf(arena, "list%zu", i));
        cr_assert_eq(pthread_create(&pushers[i].thread, NULL, push, &pushers[i]), 0);
    }
    for (size_t i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i].thread, NULL);
    // A command is answered after all that were submitted before it.
    ask(cache, arena, COMMAND("PING"));
    for (size_t i = 0; i < PUSHERS; i++) {
        cr_expect_eq(atomic_load(&pushers[i].answered), PUSHES);
        cr_expect_eq(atomic_load(&pushers[i].failed), 0);
        expect_in_order(cache, arena, pushers[i].key);
    }
    int64_t batches = metric_value(metrics_size("baro_cache_batch_size", "", NULL));
    cr_expect_lt(batches, PUSHERS * PUSHES / 2, "%lld pipelines", (long long)batches);
}

Test(lease, belongs_to_one_owner_until_that_one_gives_it_back)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(cache) *cache = given_cache();
    const char *lock = key(arena, "lease");
    bool taken = false;
    cr_assert(!failed(cache_lease_take(cache, lock, "a", 60000, soon(), &taken)) && taken);
    cr_assert(!failed(cache_lease_take(cache, lock, "b", 60000, soon(), &taken)) && !taken);
    cr_assert(!failed(cache_lease_release(cache, lock, "b", soon())));
    cr_assert(!failed(cache_lease_take(cache, lock, "b", 60000, soon(), &taken)) && !taken);
    cr_assert(!failed(cache_lease_release(cache, lock, "a", soon())));
    cr_assert(!failed(cache_lease_take(cache, lock, "b", 60000, soon(), &taken)) && taken);
    int64_t left_ms = ask(cache, arena, COMMAND("PTTL", lock)).number;
    cr_expect(left_ms > 50000 && left_ms <= 60000);
    cr_assert(!failed(cache_lease_release(cache, lock, "b", soon())));
}
