// `Prefer` in all its forms.

#include "gateway/prefer.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>

static struct preferences read_fields(const char *const *fields, size_t count)
{
    struct preferences preferences = {0};
    for (size_t i = 0; i < count; i++)
        preferences_read(&preferences, fields[i]);
    return preferences;
}

Test(prefer, says_how_long_to_wait)
{
    static const struct {
        const char *field;
        int64_t wait_ms;
    } rows[] = {
        {"",                             2000 },
        {"wait=5",                       5000 },
        {"Wait=5",                       5000 },
        {"wait = 5",                     5000 },
        {"wait=\"5\"",                   5000 },
        {"wait=0",                       0    },
        {"wait=25",                      25000},
        {"wait=26",                      25000},
        {"wait=99999999999999999999999", 25000},
        {"wait=-1",                      2000 },
        {"wait=",                        2000 },
        {"wait",                         2000 },
        {"wait=1x",                      2000 },
        {"wait=1.5",                     2000 },
        {"respond-async",                0    },
        {"Respond-Async",                0    },
        {"respond-async=1",              2000 },
        {"respond-async, wait=10",       10000},
        {"wait=10,respond-async",        10000},
        {"wait=3, wait=9",               3000 },
        {"wait=x, wait=9",               9000 },
        {"return=minimal, wait=3",       3000 },
        {"foo; wait=3",                  2000 },
        {"wait=3; foo=\"a, b\"",         3000 },
        {"foo=\"a, wait=9\", wait=3",    3000 },
        {"waiting=3",                    2000 },
        {" , ;",                         2000 },
        {"foo=\"never closed, wait=3",   2000 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct preferences preferences = read_fields(&rows[i].field, 1);
        cr_expect_eq(preferences_wait_ms(&preferences, 2000), rows[i].wait_ms, "%s", rows[i].field);
    }
}

Test(prefer, may_come_in_several_fields)
{
    static const char *const fields[] = {"respond-async", "wait=7", "wait=9"};
    struct preferences preferences = read_fields(fields, COUNT(fields));
    cr_assert(preferences.respond_async);
    cr_assert_eq(preferences_wait_ms(&preferences, 2000), 7000);
}

Test(prefer, what_was_applied_is_said)
{
    static const struct {
        const char *field;
        const char *in_time, *early;
    } rows[] = {
        {"",                       NULL,      NULL                    },
        {"return=minimal",         NULL,      NULL                    },
        {"wait=5",                 "wait=5",  "wait=5"                },
        {"wait=100",               "wait=25", "wait=25"               },
        {"respond-async",          NULL,      "respond-async"         },
        {"respond-async, wait=10", "wait=10", "respond-async, wait=10"},
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct preferences preferences = read_fields(&rows[i].field, 1);
        const char *in_time = preferences_applied(&preferences, false, arena);
        const char *early = preferences_applied(&preferences, true, arena);
        cr_expect_str_eq(in_time ? in_time : "", rows[i].in_time ? rows[i].in_time : "");
        cr_expect_str_eq(early ? early : "", rows[i].early ? rows[i].early : "");
    }
}
