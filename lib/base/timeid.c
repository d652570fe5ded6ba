// 20 bits of the sequence below the seconds: the bounds of the partitions in lib/db/schema.c are made of
// the same two numbers.

#include "lib/base/timeid.h"

#include "lib/base/clock.h"

enum { SEQUENCE_BITS = 20 };

static const int64_t EPOCH_S = INT64_C(1735689600); // 2025-01-01T00:00:00Z
static const int64_t SEQUENCE_MASK = (INT64_C(1) << SEQUENCE_BITS) - 1;

int64_t time_id(int64_t now_us, int64_t sequence)
{
    return time_id_floor(now_us) | (sequence & SEQUENCE_MASK);
}

int64_t time_id_floor(int64_t time_us)
{
    int64_t seconds = time_us / US_PER_S - EPOCH_S;
    return seconds > 0 ? seconds << SEQUENCE_BITS : 0;
}

int64_t time_id_us(int64_t id)
{
    return ((id >> SEQUENCE_BITS) + EPOCH_S) * US_PER_S;
}
