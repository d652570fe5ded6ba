#include "lib/base/backoff.h"

int64_t backoff_jitter(int64_t pause, uint64_t random)
{
    int64_t half = pause / 2;
    return half + (int64_t)(random % ((uint64_t)half + 1));
}

int64_t backoff_ceiling(int64_t first, int64_t max, int64_t doublings)
{
    int64_t pause = first < max ? first : max;
    for (; doublings > 0 && pause > 0 && pause < max; doublings--)
        pause = pause < max - pause ? pause * 2 : max;
    return pause;
}

int64_t backoff(int64_t first, int64_t max, int64_t doublings, uint64_t random)
{
    return backoff_jitter(backoff_ceiling(first, max, doublings), random);
}
