#include "tests/support/saga_ids.h"

#include "lib/base/clock.h"
#include "lib/base/timeid.h"

int64_t saga_begun(int64_t number, int days_ago)
{
    static int64_t now_us;
    if (!now_us)
        now_us = clock_realtime_us();
    return time_id(now_us - days_ago * US_PER_DAY, number);
}
