#pragma once
// Condition variables on the monotonic clock: a step of the wall clock moves no timer.

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void wait_init(pthread_cond_t *condition);

// Waits for a signal, at most until the monotonic time; false when that time is reached.
bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us);
