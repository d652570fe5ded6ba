#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) (literal), sizeof(literal) - 1

Test(text_code, knows_well_formed_utf8)
{
    static const struct {
        const char *text;
        size_t length;
        bool ok;
    } rows[] = {
        {BYTES(""),                 true },
        {BYTES("plain"),            true },
        {BYTES("빨강-L"),           true },
        {BYTES("\xC2\x80"),         true }, // U+0080, the first of two bytes
        {BYTES("\xDF\xBF"),         true }, // U+07FF
        {BYTES("\xE0\xA0\x80"),     true }, // U+0800
        {BYTES("\xED\x9F\xBF"),     true }, // U+D7FF, before the surrogates
        {BYTES("\xEE\x80\x80"),     true }, // U+E000, after them
        {BYTES("\xEF\xBF\xBF"),     true }, // U+FFFF
        {BYTES("\xF0\x90\x80\x80"), true }, // U+10000
        {BYTES("\xF4\x8F\xBF\xBF"), true }, // U+10FFFF
        {BYTES("a\0b"),             false}, // NUL
        {BYTES("\x80"),             false}, // continuation alone
        {BYTES("\xC0\x80"),         false}, // overlong NUL
        {BYTES("\xC1\xBF"),         false}, // overlong
        {BYTES("\xE0\x9F\xBF"),     false}, // overlong
        {BYTES("\xF0\x8F\xBF\xBF"), false}, // overlong
        {BYTES("\xED\xA0\x80"),     false}, // surrogate
        {BYTES("\xED\xBF\xBF"),     false}, // surrogate
        {BYTES("\xF4\x90\x80\x80"), false}, // above U+10FFFF
        {BYTES("\xF5\x80\x80\x80"), false},
        {BYTES("\xFE"),             false},
        {BYTES("\xFF"),             false},
        {BYTES("\xC2"),             false}, // cut off
        {BYTES("\xE1\x80"),         false},
        {BYTES("\xF1\x80\x80"),     false},
        {BYTES("\xE1\x80g"),        false},
        {BYTES("\xF1\x80\x80\xC0"), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert_eq(text_is_utf8(rows[i].text, rows[i].length), rows[i].ok, "row %zu", i);
}

Test(text_code, never_reads_beyond_the_length)
{
    cr_assert_not(text_is_utf8("\xE1\x80\x80", 2));
    cr_assert(text_is_utf8("ok\xFF", 2));
}

Test(text_code, counts_code_points)
{
    cr_assert_eq(text_length_utf8(""), 0);
    cr_assert_eq(text_length_utf8("abc"), 3);
    cr_assert_eq(text_length_utf8("홍길동"), 3);
    cr_assert_eq(text_length_utf8("a\xF0\x9F\x98\x80"), 2);
}

Test(text_code, writes_and_reads_base64url_without_padding)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } rows[] = {
        {BYTES(""),             ""        },
        {BYTES("f"),            "Zg"      },
        {BYTES("fo"),           "Zm8"     },
        {BYTES("foo"),          "Zm9v"    },
        {BYTES("foobar"),       "Zm9vYmFy"},
        {BYTES("\xFB\xFF\xFE"), "-__-"    },
        {BYTES("\0"),           "AA"      },
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *bytes;
        size_t size;
        cr_assert_str_eq(text_base64url(arena, rows[i].bytes, rows[i].size), rows[i].text);
        cr_assert(text_parse_base64url(arena, rows[i].text, &bytes, &size), "%s", rows[i].text);
        cr_assert_eq(size, rows[i].size);
        cr_assert_eq(memcmp(bytes, rows[i].bytes, size), 0, "%s", rows[i].text);
    }
}

Test(text_code, refuses_what_is_not_base64url)
{
    static const char *const texts[] = {"Zg==", "-_+/", "Zm9v\n", "Z", "Zh", "Zm 9", "감"};
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(texts); i++) {
        uint8_t *bytes;
        size_t size;
        cr_assert_not(text_parse_base64url(arena, texts[i], &bytes, &size), "%s", texts[i]);
    }
}

Test(text_code, writes_hexadecimal)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert_str_eq(text_hex(arena, "\x00\x9f\xff", 3), "009fff");
    cr_assert_str_eq(text_hex(arena, "", 0), "");
}

Test(text_code, escapes_json_strings)
{
    static const struct {
        const char *text;
        size_t length;
        const char *json;
    } rows[] = {
        {BYTES(""),               "\"\""                       },
        {BYTES("빨강"),           "\"빨강\""                   },
        {BYTES("a\"b\\c/"),       "\"a\\\"b\\\\c/\""           },
        {BYTES("\b\f\n\r\t"),     "\"\\b\\f\\n\\r\\t\""        },
        {BYTES("\x00\x1f"),       "\"\\u0000\\u001f\""         },
        {BYTES("\x7f\xC2\x9B"),   "\"\\u007f\\u009b\""         }, // DEL and C1: terminals obey them
        {BYTES("\xC2\xA0"),       "\"\xC2\xA0\""               },
        {BYTES("a\xFFz\xE1\x80"), "\"a\\ufffdz\\ufffd\\ufffd\""}, // no UTF-8
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct text_buffer buffer;
        text_buffer_init(&buffer, arena, 4);
        text_append_json(&buffer, rows[i].text, rows[i].length);
        cr_assert_str_eq(buffer.data, rows[i].json, "row %zu", i);
    }
}

Test(text_code, writes_json_that_a_parser_accepts_whatever_the_bytes)
{
    SCOPED(arena) *arena = arena_create();
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        char noise[16];
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (char)(rand_r(&seed) & 0xFF);
        struct text_buffer buffer;
        text_buffer_init(&buffer, arena, 64);
        text_append_json(&buffer, noise, sizeof(noise));
        json_t *parsed = json_loads(buffer.data, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        cr_assert_not_null(parsed, "round %d: %s", round, buffer.data);
        json_decref(parsed);
        arena_reset(arena);
    }
}
