#pragma once
// Runs a service's jobs, each at its period, on one thread with one connection.

#include "lib/service/service.h"

struct job_runner;

// `jobs` and what they point to must outlive the runner.
struct job_runner *job_runner_start(const struct job *jobs, size_t count, void *service,
                                    const char *database_url);

// Runs the named job at once; false for an unknown name.
bool job_runner_wake(struct job_runner *runner, const char *name);

// Waits for the job that runs. Accepts NULL.
void job_runner_stop(struct job_runner *runner);
