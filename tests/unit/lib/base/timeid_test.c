#include "lib/base/clock.h"
#include "lib/base/timeid.h"

#include <criterion/criterion.h>

static const int64_t noon_us = INT64_C(1795262400) * US_PER_S; // 2026-11-21T12:00:00Z

Test(timeid, carries_the_second_of_its_creation)
{
    int64_t id = time_id(noon_us + 999999, 12345);
    cr_assert_eq(time_id_us(id), noon_us);
    cr_assert_eq(id - time_id_floor(noon_us), 12345);
    cr_assert_lt(id, INT64_C(1) << 53, "exact in JSON");
}

Test(timeid, stays_inside_its_second_whatever_the_sequence)
{
    int64_t next = time_id_floor(noon_us + US_PER_S);
    cr_assert_lt(time_id(noon_us, (INT64_C(1) << 20) - 1), next);
    cr_assert_eq(time_id(noon_us, INT64_C(1) << 20), time_id_floor(noon_us));
    cr_assert_lt(time_id(noon_us, INT64_MAX), next);
}

Test(timeid, starts_at_2025)
{
    cr_assert_eq(time_id_floor(0), 0);
    cr_assert_eq(time_id_floor(INT64_C(1735689600) * US_PER_S), 0);
    cr_assert_eq(time_id_floor(INT64_C(1735689601) * US_PER_S), 1 << 20);
}
