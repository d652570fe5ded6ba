// What the log says of a job that fails, and how the jobs of several runners end.

#include "lib/service/jobs.h"

#include "lib/base/macros.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static atomic_int runs;
static atomic_bool fails;

static struct status run(void *service, struct db *db, struct arena *arena)
{
    (void)service;
    (void)db;
    (void)arena;
    atomic_fetch_add(&runs, 1);
    return atomic_load(&fails) ? refuse(REASON_UNAVAILABLE, "nobody is there") : OK;
}

// Runs until it is let go, and says so before and after.
struct slow {
    struct job job;
    struct job_runner *runner;
    atomic_int begun, ended;
    atomic_bool may_end;
};

static struct status run_slowly(void *service, struct db *db, struct arena *arena)
{
    struct slow *slow = service;
    (void)db;
    (void)arena;
    atomic_fetch_add(&slow->begun, 1);
    while (!atomic_load(&slow->may_end))
        sched_yield();
    atomic_fetch_add(&slow->ended, 1);
    return OK;
}

static bool has_begun(void *slow)
{
    return atomic_load(&((struct slow *)slow)->begun) > 0;
}

static void start_slow(struct slow *slow)
{
    slow->job = (struct job){.name = "slow", .period_ms = 1, .run = run_slowly};
    slow->runner = job_runner_start(&slow->job, 1, slow, "host=/nowhere", NULL);
    cr_assert(stand_wait(has_begun, slow, 10000));
}

static bool has_run_ten_times_more(void *before)
{
    return atomic_load(&runs) >= *(int *)before + 10;
}

static void await_runs(void)
{
    int before = atomic_load(&runs);
    cr_assert(stand_wait(has_run_ten_times_more, &before, 10000));
}

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        found++;
    return found;
}

// Nobody waits for the first before the second is told.
Test(jobs, of_several_runners_end_together)
{
    static struct slow slow[2];
    for (size_t i = 0; i < COUNT(slow); i++)
        start_slow(&slow[i]);
    for (size_t i = 0; i < COUNT(slow); i++)
        job_runner_halt(slow[i].runner);
    for (size_t i = 0; i < COUNT(slow); i++)
        cr_assert_eq(atomic_load(&slow[i].ended), 0);
    for (size_t i = COUNT(slow); i > 0; i--) {
        atomic_store(&slow[i - 1].may_end, true);
        job_runner_stop(slow[i - 1].runner);
    }
    for (size_t i = 0; i < COUNT(slow); i++) {
        cr_assert_eq(atomic_load(&slow[i].begun), 1, "one that was told began again");
        cr_assert_eq(atomic_load(&slow[i].ended), 1);
    }
}

Test(jobs, a_failure_is_told_once_and_so_is_its_end)
{
    static const struct job JOB = {.name = "count", .period_ms = 2, .run = run};
    static char text[65536];
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_init("baro-test", LOG_LEVEL_INFO);

    atomic_store(&fails, true);
    struct job_runner *runner = job_runner_start(&JOB, 1, NULL, "host=/nowhere", NULL);
    await_runs();
    atomic_store(&fails, false);
    await_runs();
    job_runner_stop(runner);
    close(STDERR_FILENO);
    ssize_t length = read(ends[0], text, sizeof(text) - 1);
    cr_assert_gt(length, 0);
    cr_assert_eq(count(text, "job failed"), 1, "%s", text);
    cr_assert_eq(count(text, "nobody is there"), 1, "%s", text);
    cr_assert_eq(count(text, "job works again"), 1, "%s", text);
}
