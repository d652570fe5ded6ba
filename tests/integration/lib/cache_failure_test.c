// Redis stopped, stalled and restarted: a private server for each test, killed by its pid.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/cache/cache.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct server {
    char folder[64];
    char socket[96];
    char url[160];
    pid_t pid;
};

static void server_start(struct server *server, const char *password)
{
    char *words[] = {
        "redis-server",   "--port", "0", "--unixsocket", server->socket, "--dir",
        server->folder,   "--save", "",  "--logfile",    "/dev/null",    "--requirepass",
        strdup(password), NULL};
    unlink(server->socket);
    cr_assert_eq(posix_spawnp(&server->pid, "redis-server", NULL, NULL, words, environ), 0);
    free(words[12]);
}

static void server_init(struct server *server)
{
    *server = (struct server){.folder = "/tmp/baro-redis-XXXXXX"};
    cr_assert_not_null(mkdtemp(server->folder));
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->folder);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
}

static void server_kill(struct server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static void server_fini(struct server *server)
{
    server_kill(server);
    unlink(server->socket);
    rmdir(server->folder);
}

static struct cache *given_cache(const struct server *server)
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
    struct server server;
    server_init(&server);
    SCOPED(cache) *cache = given_cache(&server);
    cr_expect_eq(cache_wait(cache, 50).code, STATUS_UNAVAILABLE);
    cr_expect_lt(time_of_ping_us(cache, 5000, STATUS_UNAVAILABLE), 100 * US_PER_MS);
    server_fini(&server);
}

Test(cache_failure, a_restarted_server_is_found_again)
{
    struct server server;
    server_init(&server);
    server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    server_kill(&server);
    cr_expect(comes_to(cache, STATUS_UNAVAILABLE));
    server_start(&server, "");
    cr_expect(comes_to(cache, STATUS_OK));
    server_fini(&server);
}

Test(cache_failure, a_server_that_dies_idle_costs_no_command)
{
    struct server server;
    server_init(&server);
    server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    server_kill(&server);
    // Nothing is asked in between; the thread notices by itself.
    const struct metric *connected = metrics_gauge("baro_cache_connected", "", NULL);
    int64_t deadline_us = clock_monotonic_us() + 5 * US_PER_S;
    while (metric_value(connected) == 1 && clock_monotonic_us() < deadline_us)
        poll(NULL, 0, 1);
    server_start(&server, "");
    cr_assert(!failed(cache_wait(cache, 5000)));
    cr_expect_eq(ping(cache, 1000).code, STATUS_OK);
    server_fini(&server);
}

Test(cache_failure, a_stalled_server_holds_nobody_beyond_the_deadline)
{
    struct server server;
    server_init(&server);
    server_start(&server, "");
    SCOPED(cache) *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    kill(server.pid, SIGSTOP);
    int64_t waited_us = time_of_ping_us(cache, 100, STATUS_DEADLINE_EXCEEDED);
    cr_expect(waited_us >= 100 * US_PER_MS && waited_us < 400 * US_PER_MS);
    cr_expect(comes_to(cache, STATUS_UNAVAILABLE));
    cr_expect_lt(time_of_ping_us(cache, 5000, STATUS_UNAVAILABLE), 100 * US_PER_MS);
    kill(server.pid, SIGCONT);
    cr_expect(comes_to(cache, STATUS_OK));
    server_fini(&server);
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
    struct server server;
    server_init(&server);
    server_start(&server, "");
    struct cache *cache = given_cache(&server);
    cr_assert(!failed(cache_wait(cache, 5000)));
    kill(server.pid, SIGSTOP);
    const char *words[] = {"PING"};
    for (int i = 0; i < SUBMITTED; i++)
        cr_assert(!failed(cache_submit(cache, (struct cache_command){.words = words, .count = 1}, 0,
                                       count, &refused)));
    cache_destroy(cache);
    cr_expect_eq(atomic_load(&refused), SUBMITTED);
    server_fini(&server);
}

Test(cache_failure, a_full_queue_refuses)
{
    struct server server;
    server_init(&server);
    server_start(&server, "");
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
    server_fini(&server);
}

Test(cache_failure, a_password_is_needed_where_the_server_wants_one)
{
    struct server server;
    server_init(&server);
    server_start(&server, "secret");
    SCOPED(cache) *stranger = given_cache(&server);
    cr_expect_eq(cache_wait(stranger, 300).code, STATUS_UNAVAILABLE);
    snprintf(server.url, sizeof(server.url), "unix://:secret@%s", server.socket);
    SCOPED(cache) *friend = given_cache(&server);
    cr_expect_eq(cache_wait(friend, 5000).code, STATUS_OK);
    server_fini(&server);
}
