#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;

static void given_arena(void)
{
    arena = arena_create();
}

static void end_arena(void)
{
    arena_destroy(arena);
}

TestSuite(text, .init = given_arena, .fini = end_arena);

Test(text, prints_short_and_long_texts)
{
    cr_assert_str_eq(text_printf(arena, "%s=%d", "a", 1), "a=1");
    for (size_t length = 250; length < 262; length++) { // around the small buffer
        char *text = text_printf(arena, "%0*d", (int)length, 7);
        cr_assert_eq(strlen(text), length);
        cr_assert_eq(text[length - 1], '7');
    }
}

Test(text, copies_a_part_and_ends_it)
{
    cr_assert_str_eq(text_copy_n(arena, "abcdef", 3), "abc");
    cr_assert_str_eq(text_copy_n(arena, NULL, 0), "");
    cr_assert_str_eq(text_copy(arena, "감사"), "감사");
}

Test(text, trims_ascii_and_ideographic_space)
{
    static const struct {
        const char *text, *trimmed;
    } rows[] = {
        {"",                              ""            },
        {"  ",                            ""            },
        {" a b\t\r\n",                    "a b"         },
        {"\xE3\x80\x80이름\xE3\x80\x80 ", "이름"        },
        {"\xE3\x80\x80",                  ""            },
        {"가",                            "가"          },
        {"\xE3\x80\x81",                  "\xE3\x80\x81"},
        {"\v\fx",                         "x"           },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert_str_eq(text_trim(arena, rows[i].text), rows[i].trimmed, "row %zu", i);
}

Test(text, splits_trims_and_drops_empty_parts)
{
    const char **parts;
    cr_assert_eq(text_split(arena, " a, b c ,,", ',', &parts), 2);
    cr_assert_str_eq(parts[0], "a");
    cr_assert_str_eq(parts[1], "b c");
    cr_assert_eq(text_split(arena, "", ',', &parts), 0);
    cr_assert_eq(text_split(arena, "one", ',', &parts), 1);
    cr_assert_str_eq(parts[0], "one");
}

Test(text, reads_whole_numbers_inside_the_range_and_nothing_else)
{
    static const struct {
        const char *text;
        int64_t min, max, value;
        bool ok;
    } rows[] = {
        {"0",                       0,         10,        0,         true },
        {"10",                      0,         10,        10,        true },
        {"11",                      0,         10,        0,         false},
        {"-1",                      0,         10,        0,         false},
        {"-0",                      0,         10,        0,         true },
        {"007",                     0,         10,        7,         true },
        {"9223372036854775807",     INT64_MIN, INT64_MAX, INT64_MAX, true },
        {"9223372036854775808",     INT64_MIN, INT64_MAX, 0,         false},
        {"-9223372036854775808",    INT64_MIN, INT64_MAX, INT64_MIN, true },
        {"-9223372036854775809",    INT64_MIN, INT64_MAX, 0,         false},
        {"99999999999999999999999", INT64_MIN, INT64_MAX, 0,         false},
        {"",                        INT64_MIN, INT64_MAX, 0,         false},
        {"-",                       INT64_MIN, INT64_MAX, 0,         false},
        {"+1",                      INT64_MIN, INT64_MAX, 0,         false},
        {"--1",                     INT64_MIN, INT64_MAX, 0,         false},
        {" 1",                      INT64_MIN, INT64_MAX, 0,         false},
        {"1 ",                      INT64_MIN, INT64_MAX, 0,         false},
        {"1.0",                     INT64_MIN, INT64_MAX, 0,         false},
        {"1e3",                     INT64_MIN, INT64_MAX, 0,         false},
        {"0x1",                     INT64_MIN, INT64_MAX, 0,         false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t value = 4711;
        bool ok = text_parse_int64(rows[i].text, rows[i].min, rows[i].max, &value);
        cr_assert_eq(ok, rows[i].ok, "\"%s\"", rows[i].text);
        cr_assert_eq(value, ok ? rows[i].value : 4711, "\"%s\"", rows[i].text);
    }
}

Test(text, reads_durations_with_a_unit)
{
    static const struct {
        const char *text;
        int64_t ms; // -1: refused
    } rows[] = {
        {"500ms",                 500      },
        {"10s",                   10000    },
        {"5m",                    300000   },
        {"2h",                    7200000  },
        {"1d",                    86400000 },
        {"0s",                    0        },
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775807s",  -1       },
        {"5",                     -1       },
        {"",                      -1       },
        {"s",                     -1       },
        {"-5s",                   -1       },
        {"5 s",                   -1       },
        {"5S",                    -1       },
        {"1.5s",                  -1       },
        {"5sec",                  -1       },
        {"5ms ",                  -1       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = -1;
        bool ok = text_parse_duration_ms(rows[i].text, &ms);
        cr_assert_eq(ok, rows[i].ms >= 0, "\"%s\"", rows[i].text);
        cr_assert_eq(ms, rows[i].ms, "\"%s\"", rows[i].text);
    }
}

Test(text, grows_a_buffer_piece_by_piece)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, arena, 0);
    cr_assert_str_eq(buffer.data, "");
    for (int i = 0; i < 1000; i++) {
        text_append_char(&buffer, 'x');
        text_append(&buffer, "yy");
        text_append_n(&buffer, "zzz?", 3);
        text_appendf(&buffer, "%d", i % 10);
    }
    cr_assert_eq(buffer.length, 7000);
    cr_assert_eq(strlen(buffer.data), 7000);
    cr_assert_str_eq(buffer.data + 6993, "xyyzzz9");
}

Test(text, grows_a_buffer_before_its_end_meets_the_next_allocation)
{
    for (size_t length = 30; length < 34; length++) {
        struct text_buffer buffer;
        text_buffer_init(&buffer, arena, 32);
        char *neighbour = text_copy(arena, "n");
        for (size_t i = 0; i < length; i++)
            text_append_char(&buffer, 'x');
        cr_assert_str_eq(neighbour, "n", "after %zu characters", length);
    }
}

Test(text, appends_the_extreme_integers)
{
    struct text_buffer buffer;
    text_buffer_init(&buffer, arena, 8);
    static const int64_t values[] = {0, 7, -7, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT(values); i++) {
        text_append_int64(&buffer, values[i]);
        text_append_char(&buffer, ' ');
    }
    cr_assert_str_eq(buffer.data, "0 7 -7 9223372036854775807 -9223372036854775808 ");
}
