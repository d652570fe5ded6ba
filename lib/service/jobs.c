// Every job is safe on any number of replicas, so this needs no lock between them: it only keeps
// time. A job that fails is logged and tried again after its period. Of the jobs that look through
// whole tables one replica at a time is enough: those are left out while Redis says that another
// one is at it, and run when Redis says nothing.

#include "lib/service/jobs.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"

#include <pthread.h>
#include <stdlib.h>

// A server that hangs holds no stop up for longer; a job that has more to do goes on in its next run.
#define RUN_MAX_US (30 * US_PER_S)

struct schedule {
    const struct job *job;
    int64_t due_us;
    const char *key; // of the lock
    bool failing;    // its last run did
    int64_t told_us; // when that was logged
    struct metric *runs;
    struct metric *spared;
    struct metric *failures;
    struct metric *seconds;
};

struct job_runner {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    void *service;
    struct db *db;
    const struct job_lock *advice;
    struct arena *names; // of what lives as long as this
    struct arena *arena; // of the job that runs
    size_t count;
    struct schedule schedules[];
};

enum { TELL_PERIOD_MS = 60 * MS_PER_S, LOCK_MS = 60 * MS_PER_S, ASK_MS = 200 };

static int64_t soon_us(void)
{
    return clock_monotonic_us() + ASK_MS * US_PER_MS;
}

// False while another replica is at the job.
static bool take_lock(const struct job_runner *runner, const struct schedule *schedule)
{
    bool taken = true;
    if (!runner->advice || !schedule->job->alone)
        return true;
    struct status st = cache_lease_take(runner->advice->cache, schedule->key, runner->advice->owner,
                                        LOCK_MS, soon_us(), &taken);
    return failed(st) || taken;
}

static void give_lock_back(const struct job_runner *runner, const struct schedule *schedule)
{
    if (runner->advice && schedule->job->alone)
        (void)cache_lease_release(runner->advice->cache, schedule->key, runner->advice->owner,
                                  soon_us()); // if it fails, it ends by itself
}

// A job that goes on failing is told once a minute, and once that it works again.
static void tell(struct schedule *schedule, struct status st, int64_t now_us)
{
    bool again = failed(st) && schedule->failing;
    if (again && now_us < schedule->told_us + TELL_PERIOD_MS * US_PER_MS)
        return;
    if (failed(st))
        log_warn("job failed", log_text("job", schedule->job->name), log_status(st));
    else if (schedule->failing)
        log_info("job works again", log_text("job", schedule->job->name));
    schedule->failing = failed(st);
    schedule->told_us = now_us;
}

static void run_job(struct job_runner *runner, struct schedule *schedule)
{
    if (!take_lock(runner, schedule)) {
        metric_add(schedule->spared, 1);
        return;
    }
    int64_t started_us = clock_monotonic_us();
    db_set_deadline(runner->db, started_us + RUN_MAX_US);
    struct status st = schedule->job->run(runner->service, runner->db, runner->arena);

    metric_add(schedule->runs, 1);
    metric_observe(schedule->seconds, clock_monotonic_us() - started_us);
    if (failed(st))
        metric_add(schedule->failures, 1);
    tell(schedule, st, clock_monotonic_us());
    arena_reset(runner->arena);
    give_lock_back(runner, schedule);
}

static struct schedule *next_due(struct job_runner *runner)
{
    struct schedule *next = &runner->schedules[0];
    for (size_t i = 1; i < runner->count; i++)
        if (runner->schedules[i].due_us < next->due_us)
            next = &runner->schedules[i];
    return next;
}

static void *job_thread(void *arg)
{
    struct job_runner *runner = arg;

    pthread_mutex_lock(&runner->lock);
    while (!runner->stopping) {
        struct schedule *next = next_due(runner);
        if (next->due_us > clock_monotonic_us()) {
            condition_wait_until(&runner->changed, &runner->lock, next->due_us);
            continue;
        }
        next->due_us = clock_monotonic_us() + next->job->period_ms * US_PER_MS;
        pthread_mutex_unlock(&runner->lock);
        run_job(runner, next);
        pthread_mutex_lock(&runner->lock);
    }
    pthread_mutex_unlock(&runner->lock);
    return NULL;
}

static void schedule_init(struct schedule *schedule, const struct job *job,
                          const struct job_runner *runner)
{
    const char *labels = text_printf(runner->names, "name=\"%s\"", job->name);
    const char *service = runner->advice ? runner->advice->service : "";
    *schedule = (struct schedule){
        .job = job,
        .due_us = clock_monotonic_us(),
        .key = text_printf(runner->names, "baro:job:%s:%s", service, job->name),
        .runs = metrics_counter("baro_job_runs_total", "Runs of a job", labels),
        .spared = metrics_counter("baro_job_spared_total", "Left out: another is at it", labels),
        .failures = metrics_counter("baro_job_failures_total", "Runs that failed", labels),
        .seconds = metrics_duration("baro_job_seconds", "Duration of a run", labels),
    };
}

struct job_runner *job_runner_start(const struct job *jobs, size_t count, void *service,
                                    const char *database_url, const struct job_lock *lock)
{
    if (count == 0)
        return NULL;
    struct job_runner *runner =
        memory_alloc(sizeof(*runner) + count * sizeof(runner->schedules[0]));
    runner->service = service;
    runner->count = count;
    runner->db = db_create(database_url, "jobs");
    runner->advice = lock;
    runner->names = arena_create();
    runner->arena = arena_create();
    for (size_t i = 0; i < count; i++)
        schedule_init(&runner->schedules[i], &jobs[i], runner);

    pthread_mutex_init(&runner->lock, NULL);
    condition_init(&runner->changed);
    thread_start(&runner->thread, job_thread, runner);
    return runner;
}

void job_runner_halt(struct job_runner *runner)
{
    if (!runner)
        return;
    pthread_mutex_lock(&runner->lock);
    runner->stopping = true;
    pthread_cond_signal(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
}

void job_runner_stop(struct job_runner *runner)
{
    if (!runner)
        return;
    job_runner_halt(runner);
    pthread_join(runner->thread, NULL);
    db_destroy(runner->db);
    arena_destroy(runner->names);
    arena_destroy(runner->arena);
    pthread_cond_destroy(&runner->changed);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}
