#pragma once
// A binary heap of timers: what is due next is on top. Not thread-safe.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Lives inside its owner. `place` is 1 + the index in the heap; 0: not set.
struct timer {
    int64_t due_us;
    size_t place;
    void *owner;
};

struct timers {
    struct timer **heap;
    size_t count, capacity;
};

#define TIMER_NEVER INT64_MAX

void timers_fini(struct timers *timers);

// Sets, moves or (with TIMER_NEVER) unsets a timer.
void timers_set(struct timers *timers, struct timer *timer, int64_t due_us);

// When the next one is due; TIMER_NEVER when there is none.
int64_t timers_next(const struct timers *timers);

// Takes out one timer that is due at now_us; NULL when there is none.
struct timer *timers_take_due(struct timers *timers, int64_t now_us);
