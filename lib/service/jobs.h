#pragma once
// Runs a service's jobs, each at its period, on one thread with one connection.

#include "lib/service/service.h"

struct job_runner;

// Where replicas tell each other what they are at (SPEC 7): a key for each job, that its owner holds
// while the job runs, for a minute at most. Nothing depends on it: what runs twice happens once.
struct job_lock {
    struct cache *cache;
    const char *service;
    const char *owner;
};

// `jobs` and what they point to must outlive the runner, `lock` as well; NULL: no job is `alone`.
struct job_runner *job_runner_start(const struct job *jobs, size_t count, void *service,
                                    const char *database_url, const struct job_lock *lock);

// No job begins any more; the one that runs goes on. Accepts NULL.
void job_runner_halt(struct job_runner *runner);

// Waits for the job that runs. Accepts NULL.
void job_runner_stop(struct job_runner *runner);
