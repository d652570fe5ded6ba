#pragma once
// How long to wait before the next try, in whatever unit the caller counts. With jitter the later half of
// a wait is at random, so that those who failed together do not come back together.

#include <stdint.h>

// `first` doubled so many times, at most `max`. Neither is negative.
int64_t backoff_ceiling(int64_t first, int64_t max, int64_t doublings);

// The same with jitter.
int64_t backoff(int64_t first, int64_t max, int64_t doublings, uint64_t random);

// Half of the pause to all of it.
int64_t backoff_jitter(int64_t pause, uint64_t random);
