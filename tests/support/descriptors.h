#pragma once
// What a process has open.

#include <stdint.h>
#include <sys/types.h>

// How many descriptors; none of a process that is gone, or not ours to look at.
int64_t open_descriptors(pid_t pid);
