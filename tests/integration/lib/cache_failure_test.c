// Redis stopped, stalled and restarted: a private server for each test, killed by its pid.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/cache/cache.h"
#include "tests/support/redis.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct cache *given_cache(const struct redis_server *server)
{
    struct cache *cache;
    cr_assert(!failed(cache_create(server->url, &cache)));
    return cache;
}

static struct status ping(struct cache *cache, int64_t timeout_ms)
{
    SCOPED(arena) *arena = arena_create();
    const char *words[] = {"PING"};
    struct cache_value value;
    struct status st = cache_call(cache, (struct cache_command){.words = words, .count = 1},
                                  clock_monotonic_us() + timeout_ms * US_PER_MS, arena, &value);
    return (struct status){.code = st.code};
}

// Asks until the answer has that code, for five seconds at most.
static bool comes_to(struct cache *cache, enum status_code code)
{
    int64_t deadline_us = clock_monotonic_us() + 5 * US_PER_S;
    while (clock_monotonic_us() < deadline_us) {
        if (ping(cache, 1000).code == code)
            return true;
        poll(NULL, 0, 2);
    }
    return false;
}

static int64_t time_of_ping_us(struct cache *cache, int64_t timeout_ms, enum status_code code)
{
    int64_t start_us = clock_monotonic_us();
    cr_expect_eq(ping(cache, timeout_ms).code, code);
    return clock_monotonic_us() - start_us;
}

Test(cache_failure, without_a_server_everybody_is_refused_at_once)
{
    struct redis_server server;
    redis_server_init(&server);
    SCOPED(cache) *cache = given_cache(&server);
    cr_expect_eq(cache_wait(cache, 50).code, STATUS_UNAVAILABLE);
    cr_expect_lt(time_of_ping_us(cache, 5000, STATUS_UNAVAILABLE), 100 * US_PER_MS);
    redis_server_fini(&server);
}

Test(cache_failure, a_restarted_server_is_found_again)
{
    struct redis_server server;
    redis_server_init(&server);
    redis_server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    redis_server_kill(&server);
    cr_expect(comes_to(cache, STATUS_UNAVAILABLE));
    redis_server_start(&server, "");
    cr_expect(comes_to(cache, STATUS_OK));
    redis_server_fini(&server);
}

Test(cache_failure, a_server_that_dies_idle_costs_no_command)
{
    struct redis_server server;
    redis_server_init(&server);
    redis_server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    redis_server_kill(&server);
    // Nothing is asked in between; the thread notices by itself.
    const struct metric *connected = metrics_gauge("baro_cache_connected", "", NULL);
    int64_t deadline_us = clock_monotonic_us() + 5 * US_PER_S;
    while (metric_value(connected) == 1 && clock_monotonic_us() < deadline_us)
        poll(NULL, 0, 1);
    redis_server_start(&server, "");
    cr_assert(!failed(cache_wait(cache, 5000)));
    cr_expect_eq(ping(cache, 1000).code, STATUS_OK);
    redis_server_fini(&server);
}

Test(cache_failure, a_stalled_server_holds_nobody_beyond_the_deadline)
{
    struct redis_server server;
    redis_server_init(&server);
    redis_server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    kill(server.pid, SIGSTOP);
    int64_t waited_us = time_of_ping_us(cache, 100, STATUS_DEADLINE_EXCEEDED);
    cr_expect(waited_us >= 100 * US_PER_MS && waited_us < 400 * US_PER_MS);
    cr_expect(comes_to(cache, STATUS_UNAVAILABLE));
    cr_expect_lt(time_of_ping_us(cache, 5000, STATUS_UNAVAILABLE), 100 * US_PER_MS);
    kill(server.pid, SIGCONT);
    cr_expect(comes_to(cache, STATUS_OK));
    redis_server_fini(&server);
}

static void count(void *context, struct status st, const struct cache_value *value)
{
    (void)value;
    if (st.code == STATUS_UNAVAILABLE)
        atomic_fetch_add((atomic_int *)context, 1);
}

Test(cache_failure, what_waits_at_the_end_is_called_back_once)
{
    enum { SUBMITTED = 100 };
    atomic_int refused = 0;
    struct redis_server server;
    redis_server_init(&server);
    redis_server_start(&server, "");
    struct cache *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    kill(server.pid, SIGSTOP);
    const char *words[] = {"PING"};
    for (int i = 0; i < SUBMITTED; i++)
        cr_assert(!failed(cache_submit(cache, (struct cache_command){.words = words, .count = 1}, 0,
                                       count, &refused)));
    cache_destroy(cache);
    cr_expect_eq(atomic_load(&refused), SUBMITTED);
    redis_server_fini(&server);
}

Test(cache_failure, a_reply_of_more_elements_than_anybody_asks_for_is_not_taken)
{
    struct redis_server server;
    redis_server_init(&server);
    redis_server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    SCOPED(arena) *arena = arena_create();
    cr_assert(!failed(cache_wait(cache, 5000)));
    const char *words[] = {"EVAL", "local t = {} for i = 1, 4097 do t[i] = i end return t", "0"};
    struct cache_value value;
    struct status st = cache_call(cache, (struct cache_command){.words = words, .count = 3},
                                  clock_monotonic_us() + 5 * US_PER_S, arena, &value);
    cr_expect_eq(st.code, STATUS_UNAVAILABLE);
    cr_expect(comes_to(cache, STATUS_OK));
    redis_server_fini(&server);
}

Test(cache_failure, a_full_queue_refuses)
{
    struct redis_server server;
    redis_server_init(&server);
    redis_server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    kill(server.pid, SIGSTOP);
    static atomic_int ignored;
    const char *words[] = {"PING"};
    enum status_code code = STATUS_OK;
    for (int i = 0; i < 20000 && code == STATUS_OK; i++)
        code = cache_submit(cache, (struct cache_command){.words = words, .count = 1}, 0, count,
                            &ignored)
                   .code;
    cr_expect_eq(code, reason_code(REASON_OVERLOADED));
    redis_server_fini(&server);
}

Test(cache_failure, a_password_is_needed_where_the_server_wants_one)
{
    struct redis_server server;
    redis_server_init(&server);
    redis_server_start(&server, "secret");
    SCOPED(cache) *stranger = given_cache(&server);
    cr_expect_eq(cache_wait(stranger, 300).code, STATUS_UNAVAILABLE);
    snprintf(server.url, sizeof(server.url), "unix://:secret@%s", server.socket);
    SCOPED(cache) *friend = given_cache(&server);
    cr_expect_eq(cache_wait(friend, 5000).code, STATUS_OK);
    redis_server_fini(&server);
}
