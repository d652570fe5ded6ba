#include "lib/base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, counts_microseconds_of_two_clocks)
{
    int64_t first = clock_monotonic_us();
    cr_assert_gt(first, 0);
    cr_assert_geq(clock_monotonic_us(), first);
    int64_t off_us = clock_realtime_us() - time(NULL) * US_PER_S;
    cr_assert(off_us > -2 * US_PER_S && off_us < 2 * US_PER_S);
}
