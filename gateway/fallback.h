#pragma once
// Limits in the memory of one process, for the time without Redis.

#include "gateway/limits.h"

struct fallback;

struct fallback *fallback_create(void);

// Accepts NULL.
void fallback_destroy(struct fallback *fallback);

enum { FALLBACK_BUCKETS_MAX = 2 };

// Takes one request out of each named bucket, or out of none when one is spent. A bucket allows
// rate.count requests in the window that begins with the first; the last request may come again.
// Time is an argument: microseconds of any clock that never goes back. Thread-safe.
struct limit_answer fallback_take(struct fallback *fallback, const char *const *names, size_t count,
                                  struct setting_rate rate, const char *request, int64_t now_us);
