#pragma once
// The network between the processes, and its faults.

#include "tests/simulate/world.h"

// Of messages, once in so many; 0: never. A message that is slow takes up to slow_us more.
struct network_faults {
    uint64_t lose, duplicate, slow;
    int64_t slow_us;
};

extern struct network_faults network_faults;

// How often each fault was injected in this run.
struct network_counts {
    uint64_t messages, lost, duplicated, slowed, cut, refused;
};

extern struct network_counts network_counts;

void network_begin(void);

// What one kind of process sends to another until then is lost, or arrives when the way is open again.
void network_cut(enum process_kind from, enum process_kind to, int64_t until_us);
void network_heal(void);
