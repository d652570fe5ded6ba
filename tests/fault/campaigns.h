#pragma once
// The campaigns of the fault runs, one row each: what it does between two checks.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cluster;
struct fault_board;
struct infrastructure;
struct proxies;

// What strikes are made with.
struct ground {
    struct cluster *cluster;
    struct fault_board *board;
    struct infrastructure *infrastructure;
    struct proxies *proxies;
    uint64_t random;
    int64_t pause_ms;  // longer than the leases
    size_t next_point; // in rotation
    int64_t *reached;  // how often each point has struck
};

struct campaign {
    const char *name;
    unsigned dress;                  // enum dress
    int rounds, strikes;             // by default: checks, and strikes before each
    int short_rounds, short_strikes; // of make fault-short; 0: not in it
    void (*strike)(struct ground *ground);
    bool every_point; // goes on for a while until each point has struck
};

extern const struct campaign campaigns[];
extern const size_t campaign_count;

// Whether each point has struck.
bool ground_is_covered(const struct ground *ground);
