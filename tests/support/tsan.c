// Lets Criterion start under ThreadSanitizer. Criterion maps the memory that it shares with its
// worker processes at a place that it draws with rand_r, between 0x2000_0000_0000 and
// 0x6000_0000_0000 in steps of 16 MiB; nearly all of that belongs to the sanitizer's shadow, and the
// run dies before the first test. This rand_r draws places that the sanitizer leaves to programs.
//
// Nor does the sanitizer know threads that C11's thrd_create starts, as librdkafka does: they die at
// once. These two start and join them as POSIX threads.

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
int rand_r(unsigned *seed)
{
    enum {
        FIRST = 0x350000, // 0x5500_0000_0000
        PLACES = 0x10000,
    };
    *seed = *seed * 1103515245 + 12345;
    return (int)(FIRST + (*seed >> 8) % PLACES);
}

struct start {
    thrd_start_t function;
    void *arg;
};

static void *run(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)start.function(start.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *arg)
{
    struct start *start = malloc(sizeof(*start));
    if (!start)
        return thrd_nomem;
    *start = (struct start){function, arg};
    return pthread_create(thread, NULL, run, start) == 0 ? thrd_success : thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
    void *value;
    if (pthread_join(thread, &value) != 0)
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)value;
    return thrd_success;
}
#endif
