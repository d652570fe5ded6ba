#pragma once
// Time. Timers and deadlines use the monotonic clock; facts use the database's clock, which
// reaches handlers as an argument. Nothing else reads a clock.

#include <stdint.h>

enum {
    US_PER_MS = 1000,
    MS_PER_S = 1000,
};
#define US_PER_S INT64_C(1000000)
#define MS_PER_HOUR INT64_C(3600000)
#define MS_PER_DAY (24 * MS_PER_HOUR)
#define US_PER_HOUR (MS_PER_HOUR * US_PER_MS)
#define US_PER_DAY (MS_PER_DAY * US_PER_MS)

// The end of the year 9999, the last that RFC 3339 can write.
#define TIME_LAST_US INT64_C(253402300799999999)

// Microseconds of CLOCK_MONOTONIC: for deadlines and timers inside one process.
int64_t clock_monotonic_us(void);

// Microseconds since 1970, UTC: for logs and token checks only.
int64_t clock_realtime_us(void);
