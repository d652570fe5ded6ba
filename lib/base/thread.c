// glibc's default clock for timed waits is the wall clock: every condition that is waited on with a
// limit comes from here instead.

#include "lib/base/thread.h"

#include "lib/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    if (pthread_create(thread, NULL, run, arg) != 0) {
        fputs("no thread can be started\n", stderr);
        abort();
    }
}

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us)
{
    if (until_us < 0)
        until_us = 0;
    struct timespec at = {.tv_sec = until_us / US_PER_S, .tv_nsec = until_us % US_PER_S * 1000};
    return pthread_cond_timedwait(condition, lock, &at) == 0;
}
