// Every job is safe on any number of replicas, so this needs no lock between them: it only keeps
// time. A job that fails is logged and tried again after its period.

#include "lib/service/jobs.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct schedule {
    const struct job *job;
    int64_t due_us;
    struct metric *runs;
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
    struct arena *arena; // of the job that runs
    size_t count;
    struct schedule schedules[];
};

static void run_job(struct job_runner *runner, struct schedule *schedule)
{
    int64_t started_us = clock_monotonic_us();
    struct status st = schedule->job->run(runner->service, runner->db, runner->arena);

    metric_add(schedule->runs, 1);
    metric_observe(schedule->seconds, clock_monotonic_us() - started_us);
    if (failed(st)) {
        metric_add(schedule->failures, 1);
        log_warn("job failed", log_text("job", schedule->job->name), log_status(st));
    }
    arena_reset(runner->arena);
}

static struct schedule *next_due(struct job_runner *runner)
{
    struct schedule *next = &runner->schedules[0];
    for (size_t i = 1; i < runner->count; i++)
        if (runner->schedules[i].due_us < next->due_us)
            next = &runner->schedules[i];
    return next;
}

static void wait_until(struct job_runner *runner, int64_t due_us)
{
    struct timespec until = {.tv_sec = due_us / US_PER_S, .tv_nsec = due_us % US_PER_S * 1000};
    pthread_cond_timedwait(&runner->changed, &runner->lock, &until);
}

static void *job_thread(void *arg)
{
    struct job_runner *runner = arg;

    pthread_mutex_lock(&runner->lock);
    while (!runner->stopping) {
        struct schedule *next = next_due(runner);
        if (next->due_us > clock_monotonic_us()) {
            wait_until(runner, next->due_us);
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

static void schedule_init(struct schedule *schedule, const struct job *job, struct arena *scratch)
{
    const char *labels = text_printf(scratch, "job=\"%s\"", job->name);
    *schedule = (struct schedule){
        .job = job,
        .due_us = clock_monotonic_us(),
        .runs = metrics_counter("baro_job_runs_total", "Runs of a job", labels),
        .failures = metrics_counter("baro_job_failures_total", "Runs that failed", labels),
        .seconds = metrics_duration("baro_job_seconds", "Duration of a run", labels),
    };
}

struct job_runner *job_runner_start(const struct job *jobs, size_t count, void *service,
                                    const char *database_url)
{
    if (count == 0)
        return NULL;
    SCOPED(arena) *scratch = arena_create();
    struct job_runner *runner = calloc(1, sizeof *runner + count * sizeof runner->schedules[0]);
    assert(runner);
    runner->service = service;
    runner->count = count;
    runner->db = db_create(database_url, "jobs");
    runner->arena = arena_create();
    for (size_t i = 0; i < count; i++)
        schedule_init(&runner->schedules[i], &jobs[i], scratch);

    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&runner->lock, NULL);
    pthread_cond_init(&runner->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int error = pthread_create(&runner->thread, NULL, job_thread, runner);
    assert(error == 0);
    return runner;
}

bool job_runner_wake(struct job_runner *runner, const char *name)
{
    bool found = false;

    if (!runner)
        return false;
    pthread_mutex_lock(&runner->lock);
    for (size_t i = 0; i < runner->count; i++)
        if (!strcmp(runner->schedules[i].job->name, name)) {
            runner->schedules[i].due_us = 0;
            found = true;
        }
    pthread_cond_signal(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
    return found;
}

void job_runner_stop(struct job_runner *runner)
{
    if (!runner)
        return;
    pthread_mutex_lock(&runner->lock);
    runner->stopping = true;
    pthread_cond_signal(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
    pthread_join(runner->thread, NULL);
    db_destroy(runner->db);
    arena_destroy(runner->arena);
    pthread_cond_destroy(&runner->changed);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}
