#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <time.h>

// What the C library says: the second opinion on every day of eight centuries.
Test(text_time, agrees_with_the_calendar_of_the_c_library)
{
    SCOPED(arena) *arena = arena_create();
    for (int64_t day = -146000; day < 146000; day += 7) {
        time_t second = day * 86400 + (day * 7919 % 86400 + 86400) % 86400;
        struct tm civil;
        char expected[64];
        gmtime_r(&second, &civil);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &civil);
        char *text = text_from_time(arena, second * US_PER_S);
        cr_assert_str_eq(text, expected);
        int64_t back;
        cr_assert(text_parse_time(text, &back), "%s", text);
        cr_assert_eq(back, second * US_PER_S, "%s", text);
        arena_reset(arena);
    }
}

Test(text_time, writes_as_many_fraction_digits_as_needed)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0,                  "1970-01-01T00:00:00Z"       },
        {1,                  "1970-01-01T00:00:00.000001Z"},
        {1500000,            "1970-01-01T00:00:01.5Z"     },
        {-1,                 "1969-12-31T23:59:59.999999Z"},
        {1795234920000000,   "2026-11-21T04:22:00Z"       },
        {1795234920120000,   "2026-11-21T04:22:00.12Z"    },
        {253402300799999999, "9999-12-31T23:59:59.999999Z"},
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t us;
        cr_assert_str_eq(text_from_time(arena, rows[i].us), rows[i].text);
        cr_assert(text_parse_time(rows[i].text, &us), "%s", rows[i].text);
        cr_assert_eq(us, rows[i].us, "%s", rows[i].text);
    }
}

Test(text_time, reads_offsets_dates_and_long_fractions)
{
    static const struct {
        const char *text, *same;
    } rows[] = {
        {"2026-11-21",                      "2026-11-21T00:00:00Z"       },
        {"2026-11-21T13:22:00+09:00",       "2026-11-21T04:22:00Z"       },
        {"2026-11-20T20:52:00.25-07:30",    "2026-11-21T04:22:00.25Z"    },
        {"2026-11-21t04:22:00z",            "2026-11-21T04:22:00Z"       },
        {"2026-11-21 04:22:00Z",            "2026-11-21T04:22:00Z"       },
        {"2026-11-21T04:22:00.1234567899Z", "2026-11-21T04:22:00.123456Z"},
        {"2016-12-31T23:59:60Z",            "2017-01-01T00:00:00Z"       },
        {"2024-02-29",                      "2024-02-29T00:00:00Z"       },
        {"2000-02-29",                      "2000-02-29T00:00:00Z"       },
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t us;
        cr_assert(text_parse_time(rows[i].text, &us), "%s", rows[i].text);
        cr_assert_str_eq(text_from_time(arena, us), rows[i].same, "%s", rows[i].text);
    }
}

Test(text_time, refuses_what_is_no_time)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-11",
        "2026-1-1",
        "2026-13-01",
        "2026-00-01",
        "2026-11-00",
        "2026-11-31",
        "2023-02-29",
        "1900-02-29",
        "2026-11-21T",
        "2026-11-21T04:22",
        "2026-11-21T04:22:00",
        "2026-11-21T24:00:00Z",
        "2026-11-21T04:60:00Z",
        "2026-11-21T04:22:61Z",
        "2026-11-21T04:22:00.Z",
        "2026-11-21T04:22:00+24:00",
        "2026-11-21T04:22:00+09:60",
        "2026-11-21T04:22:00+0900",
        "2026-11-21T04:22:00Zx",
        " 2026-11-21",
        "2026-11-21 ",
        "+026-11-21",
        "20261-11-21",
        "2026-11-21T04:22:00+",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t us = 4711;
        cr_assert_not(text_parse_time(texts[i], &us), "\"%s\"", texts[i]);
        cr_assert_eq(us, 4711, "\"%s\"", texts[i]);
    }
}

Test(text_time, writes_even_the_times_at_the_ends_of_the_type)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert_str_eq(text_from_time(arena, INT64_MAX), "294247-01-10T04:00:54.775807Z");
    cr_assert_str_eq(text_from_time(arena, INT64_MIN), "-290308-12-21T19:59:05.224192Z");
}
