// The clock of the jobs: what replicas tell each other through Redis, and that nothing depends on it.

#include "lib/service/jobs.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/db/pipeline.h"
#include "lib/service/prune.h"
#include "tests/support/database.h"
#include "tests/support/redis.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum { REPLICAS = 3 };

// What all replicas share.
static struct redis_server redis;
static atomic_int runs, inside, most_inside;
static atomic_bool hold;

static void note_most(int now)
{
    int most = atomic_load(&most_inside);
    while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
        ;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

// Runs until it is let go.
static struct status scan(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)db;
    (void)arena;
    note_most(atomic_fetch_add(&inside, 1) + 1);
    while (atomic_load(&hold))
        pause_briefly();
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&runs, 1);
    return OK;
}

static const struct job SCAN = {"scan", 5, scan, .alone = true};

struct replica {
    struct cache *cache;
    struct job_lock lock;
    struct job_runner *runner;
};

static void start_replica(struct replica *replica, const char *name)
{
    cr_assert(!failed(cache_create(redis.url, &replica->cache)));
    replica->lock = (struct job_lock){replica->cache, "shop", name};
    replica->runner = job_runner_start(&SCAN, 1, NULL, test_database("jobs"), &replica->lock);
}

static void stop_replica(struct replica *replica)
{
    job_runner_stop(replica->runner);
    cache_destroy(replica->cache);
}

static void await_at_least(atomic_int *number, int wanted)
{
    int64_t until_us = clock_monotonic_us() + 20 * US_PER_S;
    while (atomic_load(number) < wanted) {
        cr_assert(clock_monotonic_us() < until_us, "%d", atomic_load(number));
        pause_briefly();
    }
}

static int64_t spared(void)
{
    return metric_value(metrics_counter("baro_job_spared_total", "", "name=\"scan\""));
}

static void await_spared(int64_t wanted)
{
    int64_t until_us = clock_monotonic_us() + 20 * US_PER_S;
    while (spared() < wanted) {
        cr_assert(clock_monotonic_us() < until_us);
        pause_briefly();
    }
}

static void given_redis(void)
{
    log_init("jobs", LOG_LEVEL_ERROR);
    redis_server_init(&redis);
}

static void end_redis(void)
{
    redis_server_fini(&redis);
}

TestSuite(jobs, .init = given_redis, .fini = end_redis);

static struct cache *given_answering_redis(void)
{
    struct cache *cache;
    redis_server_start(&redis, "");
    cr_assert(!failed(cache_create(redis.url, &cache)));
    cr_assert(!failed(cache_wait(cache, 10000)));
    return cache;
}

static atomic_llong left_us;

static struct status note_deadline(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)arena;
    atomic_store(&left_us, db->deadline_us - clock_monotonic_us());
    atomic_fetch_add(&runs, 1);
    return OK;
}

Test(jobs, do_not_wait_for_a_server_that_hangs_for_ever)
{
    static const struct job NOTE = {"note", 5, note_deadline, .alone = false};
    struct job_runner *runner = job_runner_start(&NOTE, 1, NULL, test_database("jobs"), NULL);
    await_at_least(&runs, 2);
    job_runner_stop(runner);
    cr_expect_gt(atomic_load(&left_us), 20 * US_PER_S);
    cr_expect_leq(atomic_load(&left_us), 30 * US_PER_S);
}

Test(jobs, that_scan_are_left_out_while_another_replica_is_at_it)
{
    struct replica replicas[REPLICAS];
    SCOPED(cache) *cache = given_answering_redis();
    bool taken;
    int64_t soon_us = clock_monotonic_us() + 5 * US_PER_S;
    cr_assert(!failed(cache_lease_take(cache, "baro:job:shop:scan", "us", 60000, soon_us, &taken)));
    for (size_t i = 0; i < REPLICAS; i++) {
        start_replica(&replicas[i], (const char *[]){"a", "b", "c"}[i]);
        cr_assert(!failed(cache_wait(replicas[i].cache, 10000)));
    }
    int before = atomic_load(&runs); // before Redis was reached
    await_spared(spared() + 10);
    cr_expect_leq(atomic_load(&runs), before + REPLICAS);

    before = atomic_load(&runs);
    cr_assert(!failed(cache_lease_release(cache, "baro:job:shop:scan", "us", soon_us)));
    atomic_store(&most_inside, 0);
    await_at_least(&runs, before + 20);
    cr_expect_eq(atomic_load(&most_inside), 1);
    for (size_t i = 0; i < REPLICAS; i++)
        stop_replica(&replicas[i]);
}

Test(jobs, that_scan_run_at_every_replica_while_redis_is_gone)
{
    struct replica replicas[REPLICAS];
    atomic_store(&hold, true);
    for (size_t i = 0; i < REPLICAS; i++)
        start_replica(&replicas[i], (const char *[]){"a", "b", "c"}[i]);
    await_at_least(&inside, REPLICAS);
    atomic_store(&hold, false);
    await_at_least(&runs, 3 * REPLICAS);
    for (size_t i = 0; i < REPLICAS; i++)
        stop_replica(&replicas[i]);
}

Test(jobs, that_scan_wait_a_moment_at_most_for_a_redis_that_is_silent)
{
    struct replica replica;
    SCOPED(cache) *cache = given_answering_redis();
    start_replica(&replica, "a");
    cr_assert(!failed(cache_wait(replica.cache, 10000)));
    kill(redis.pid, SIGSTOP);
    int before = atomic_load(&runs);
    await_at_least(&runs, before + 3);
    kill(redis.pid, SIGCONT);
    stop_replica(&replica);
}

// A replica whose lock ran out while it was at it must not take the next one's away.
Test(jobs, a_lock_is_given_back_by_its_owner_only)
{
    struct replica replica;
    SCOPED(cache) *cache = given_answering_redis();
    SCOPED(arena) *arena = arena_create();
    struct cache_value value;
    const char *steal[] = {"SET", "baro:job:shop:scan", "thief"};
    const char *look[] = {"GET", "baro:job:shop:scan"};
    int64_t soon_us = clock_monotonic_us() + 5 * US_PER_S;
    start_replica(&replica, "a");
    cr_assert(!failed(cache_wait(replica.cache, 10000)));
    atomic_store(&hold, true);
    await_at_least(&inside, 1);
    cr_assert(!failed(cache_call(cache, (struct cache_command){.words = steal, .count = 3}, soon_us,
                                 arena, &value)));
    atomic_store(&hold, false);
    await_spared(1);
    cr_assert(!failed(cache_call(cache, (struct cache_command){.words = look, .count = 2}, soon_us,
                                 arena, &value)));
    cr_expect_str_eq(value.text, "thief");
    stop_replica(&replica);
}

static int64_t left, lots;

static struct status delete_some(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    (void)db;
    cr_assert_eq(keep_ms, 7);
    *deleted = left < limit ? left : limit;
    left -= *deleted;
    lots++;
    return OK;
}

Test(retention, takes_as_many_lots_as_there_are)
{
    SCOPED(arena) *arena = arena_create();
    left = 123456;
    cr_assert(!failed(prune_in_lots(NULL, arena, (struct prune){delete_some, 7})));
    cr_expect_eq(left, 0);
    cr_expect_gt(lots, 10);
}

static struct status refuse_all(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    (void)db;
    (void)keep_ms;
    *deleted = limit;
    lots++;
    return refuse(REASON_UNAVAILABLE, "gone");
}

Test(retention, ends_with_the_first_failure)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert(failed(prune_in_lots(NULL, arena, (struct prune){refuse_all, 7})));
    cr_expect_eq(lots, 1);
}
