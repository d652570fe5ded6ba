// Which hours a question about popularity takes in, and what may be asked.

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "services/product/popularity.h"

#include <criterion/criterion.h>

static int64_t at(const char *time)
{
    int64_t us = 0;
    cr_assert(text_parse_time(time, &us), "%s", time);
    return us;
}

#define NOW "2026-11-21T10:20:30Z"

static struct popular_query ask(struct popular_wish wish)
{
    struct popular_query query = {0};
    struct status st = popular_query_of(&wish, at(NOW), &query);
    cr_assert(!failed(st), "%s %s", st.field, st.message);
    return query;
}

static void expect_window(struct window window, const char *from, const char *to)
{
    SCOPED(arena) *arena = arena_create();
    cr_expect_eq(window.from_us, at(from), "from %s", text_from_time(arena, window.from_us));
    cr_expect_eq(window.to_us, at(to), "to %s", text_from_time(arena, window.to_us));
}

Test(popularity, the_last_3_days_and_5_products_are_asked_for_by_default)
{
    struct popular_query query = ask((struct popular_wish){0});
    cr_expect_not(query.of_snapshot);
    cr_expect_eq(query.limit, 5);
    expect_window(query.window, "2026-11-18T10:00:00Z", "2026-11-21T11:00:00Z");
}

Test(popularity, days_end_with_the_hour_that_runs)
{
    struct popular_query query = ask((struct popular_wish){.has_days = true, .days = 1});
    expect_window(query.window, "2026-11-20T10:00:00Z", "2026-11-21T11:00:00Z");
    expect_window(window_of_days(at("2026-11-21T10:00:00Z"), 30), "2026-10-22T10:00:00Z",
                  "2026-11-21T11:00:00Z");
}

Test(popularity, a_period_takes_in_the_hours_that_it_touches)
{
    const struct {
        const char *from, *to, *first, *end;
    } cases[] = {
        {"2026-11-21T08:00:00Z",        "2026-11-21T09:00:00Z",        "2026-11-21T08:00:00Z",
         "2026-11-21T09:00:00Z"                                                                                      },
        {"2026-11-21T08:59:59.999999Z", "2026-11-21T09:00:00.000001Z", "2026-11-21T08:00:00Z",
         "2026-11-21T10:00:00Z"                                                                                      },
        {"2026-11-21",                  "2026-11-22",                  "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
        {"1969-12-31T23:30:00Z",        "1970-01-01T00:30:00Z",        "1969-12-31T23:00:00Z",
         "1970-01-01T01:00:00Z"                                                                                      },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct popular_query query = ask((struct popular_wish){
            .has_from = true,
            .from_us = at(cases[i].from),
            .has_to = true,
            .to_us = at(cases[i].to),
        });
        expect_window(query.window, cases[i].first, cases[i].end);
    }
}

Test(popularity, a_period_without_one_of_its_ends_has_the_usual_one)
{
    struct popular_query since =
        ask((struct popular_wish){.has_from = true, .from_us = at("2026-11-01")});
    expect_window(since.window, "2026-11-01", "2026-11-21T11:00:00Z");
    struct popular_query until =
        ask((struct popular_wish){.has_to = true, .to_us = at("2026-11-10")});
    expect_window(until.window, "2026-11-07", "2026-11-10");
}

Test(popularity, a_snapshot_is_of_a_day_and_has_no_other_window)
{
    struct popular_query query = ask((struct popular_wish){.snapshot = "2026-11-21"});
    cr_expect(query.of_snapshot);
    cr_expect_eq(query.day_us, at("2026-11-21"));
    expect_window(window_before(at("2026-11-21"), 3), "2026-11-18", "2026-11-21");
}

Test(popularity, what_makes_no_sense_is_refused_by_the_name_of_its_field)
{
    const int64_t noon = at("2026-11-21T12:00:00Z"), dawn = at("2026-11-21T06:00:00Z");
    const struct {
        struct popular_wish wish;
        const char *field;
    } cases[] = {
        {{.has_days = true, .days = 0},                                      "days"    },
        {{.has_days = true, .days = 31},                                     "days"    },
        {{.has_days = true, .days = -1},                                     "days"    },
        {{.has_limit = true, .limit = 0},                                    "limit"   },
        {{.has_limit = true, .limit = 101},                                  "limit"   },
        {{.has_days = true, .days = 1, .has_from = true, .from_us = dawn},   "days"    },
        {{.has_from = true, .from_us = dawn, .has_to = true, .to_us = dawn}, "from"    },
        {{.has_from = true, .from_us = noon, .has_to = true, .to_us = dawn}, "from"    },
        {{.has_from = true, .from_us = noon},                                "from"    },
        {{.has_from = true, .from_us = INT64_MIN},                           "from"    },
        {{.has_to = true, .to_us = INT64_MIN},                               "to"      },
        {{.has_to = true, .to_us = INT64_MAX},                               "to"      },
        {{.snapshot = "yesterday"},                                          "snapshot"},
        {{.snapshot = "2026-02-30"},                                         "snapshot"},
        {{.snapshot = "2026-11-21T00:00:00Z"},                               "snapshot"},
        {{.snapshot = "2026-11-21", .has_days = true, .days = 3},            "snapshot"},
        {{.snapshot = "2026-11-21", .has_to = true, .to_us = dawn},          "snapshot"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct popular_query query;
        struct status st = popular_query_of(&cases[i].wish, at(NOW), &query);
        cr_assert_eq(st.reason, REASON_VALIDATION_ERROR, "case %zu", i);
        cr_expect_str_eq(st.field, cases[i].field, "case %zu", i);
    }
}

Test(popularity, the_greatest_and_the_least_that_may_be_asked_for_are_fine)
{
    cr_expect_eq(ask((struct popular_wish){.has_limit = true, .limit = 1}).limit, 1);
    cr_expect_eq(ask((struct popular_wish){.has_limit = true, .limit = 100}).limit, 100);
    ask((struct popular_wish){.has_days = true, .days = 1});
    ask((struct popular_wish){.has_days = true, .days = 30});
}
