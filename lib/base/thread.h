#pragma once
// Threads that start or end the process, and conditions on the monotonic clock: a step of the wall clock
// moves no timer.

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

// Starts a thread that somebody joins or detaches; the process ends when the system has none.
void thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

// A condition for condition_wait_until; ended with pthread_cond_destroy.
void condition_init(pthread_cond_t *condition);

// Waits for a signal, at most until the monotonic time, in microseconds; false when that is reached.
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us);
