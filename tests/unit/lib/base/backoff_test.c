#include "lib/base/backoff.h"
#include "lib/base/macros.h"
#include "lib/base/random.h"

#include <criterion/criterion.h>

// What of it is at random: none of it, all of it.
static int64_t shortest(int64_t first, int64_t max, int64_t doublings)
{
    return backoff(first, max, doublings, 0);
}

static int64_t longest(int64_t first, int64_t max, int64_t doublings)
{
    int64_t half = shortest(first, max, doublings);
    return backoff(first, max, doublings, (uint64_t)half);
}

Test(backoff, doubles_up_to_its_limit)
{
    static const struct {
        int64_t first, max, doublings, longest;
    } rows[] = {
        {10,  1000,      0,         10       },
        {10,  1000,      1,         20       },
        {10,  1000,      6,         640      },
        {10,  1000,      7,         1000     },
        {10,  1000,      INT64_MAX, 1000     },
        {2,   INT64_MAX, 61,        1L << 62 },
        {2,   INT64_MAX, 62,        INT64_MAX},
        {500, 100,       3,         100      },
        {0,   100,       INT64_MAX, 0        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(backoff_ceiling(rows[i].first, rows[i].max, rows[i].doublings),
                     rows[i].longest, "row %zu", i);
        cr_expect_leq(rows[i].longest - longest(rows[i].first, rows[i].max, rows[i].doublings), 1,
                      "row %zu", i);
    }
}

Test(backoff, leaves_the_later_half_to_chance)
{
    uint64_t state = 1;
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t pause = backoff(100, 1000, 2, random_next(&state));
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    cr_assert_eq(least, 200);
    cr_assert_eq(most, 400);
}

Test(backoff, spreads_any_pause)
{
    cr_assert_eq(backoff_jitter(0, UINT64_MAX), 0);
    cr_assert_eq(backoff_jitter(1, UINT64_MAX), 0);
    cr_assert_eq(backoff_jitter(60, 0), 30);
    cr_assert_eq(backoff_jitter(60, 30), 60);
}

Test(random, goes_through_many_numbers_and_never_stops_at_zero)
{
    uint64_t state = 1, ones = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t number = random_next(&state);
        cr_assert_neq(number, 0);
        ones += number & 1;
    }
    cr_assert(ones > 4500 && ones < 5500);
}
