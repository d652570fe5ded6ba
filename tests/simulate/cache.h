#pragma once
// The Redis of the run, and its faults.

#include <stdint.h>

struct cache_faults {
    uint64_t silent; // once in so many commands no answer comes; 0: never
};

extern struct cache_faults cache_faults;

struct cache_counts {
    uint64_t commands, unanswered, emptied;
};

extern struct cache_counts cache_counts;

void cache_begin(void);

// Redis is away for so long and comes back with nothing.
void cache_lose(int64_t for_us);
