// Each timer knows its place in the heap, so that moving one costs a few swaps and never a search.

#include "lib/saga/timers.h"

#include "lib/base/memory.h"

#include <stdlib.h>

static void put(struct timers *timers, size_t index, struct timer *timer)
{
    timers->heap[index] = timer;
    timer->place = index + 1;
}

static void rise(struct timers *timers, size_t index)
{
    struct timer *timer = timers->heap[index];
    while (index > 0 && timers->heap[(index - 1) / 2]->due_us > timer->due_us) {
        put(timers, index, timers->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(timers, index, timer);
}

static void sink(struct timers *timers, size_t index)
{
    struct timer *timer = timers->heap[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count &&
            timers->heap[child + 1]->due_us < timers->heap[child]->due_us)
            child++;
        if (timers->heap[child]->due_us >= timer->due_us)
            break;
        put(timers, index, timers->heap[child]);
        index = child;
    }
    put(timers, index, timer);
}

static void add(struct timers *timers, struct timer *timer)
{
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity ? 2 * timers->capacity : 256;
        timers->heap = memory_resize(timers->heap, timers->capacity, sizeof(struct timer *));
    }
    put(timers, timers->count++, timer);
    rise(timers, timers->count - 1);
}

static void drop(struct timers *timers, struct timer *timer)
{
    size_t index = timer->place - 1;
    timer->place = 0;
    struct timer *last = timers->heap[--timers->count];
    if (last == timer)
        return;
    put(timers, index, last);
    rise(timers, index);
    sink(timers, last->place - 1);
}

void timers_fini(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due_us)
{
    if (timer->place)
        drop(timers, timer);
    timer->due_us = due_us;
    if (due_us != TIMER_NEVER)
        add(timers, timer);
}

int64_t timers_next(const struct timers *timers)
{
    return timers->count ? timers->heap[0]->due_us : TIMER_NEVER;
}

struct timer *timers_take_due(struct timers *timers, int64_t now_us)
{
    if (timers->count == 0 || timers->heap[0]->due_us > now_us)
        return NULL;
    struct timer *timer = timers->heap[0];
    drop(timers, timer);
    return timer;
}
