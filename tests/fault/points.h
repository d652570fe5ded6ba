#pragma once
// The places at which the fault runs strike (lib/base/fault_point.h), one row each.

#include <stddef.h>

struct point {
    const char *name;
    const char *first; // a place at which another process must have died before, or NULL
};

extern const struct point points[];
extern const size_t point_count;
