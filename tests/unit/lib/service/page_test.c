// Pages: sizes and opaque tokens.

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "lib/rpc/nng.h"
#include "lib/service/page.h"
#include "proto/common.pb-c.h"

#include <criterion/criterion.h>
#include <string.h>

Test(page, sizes_are_1_to_100_and_20_when_nothing_is_said)
{
    int64_t size = -1;
    cr_expect(!failed(page_size(0, &size)) && size == 20);
    cr_expect(!failed(page_size(1, &size)) && size == 1);
    cr_expect(!failed(page_size(100, &size)) && size == 100);
    cr_expect_str_eq(page_size(101, &size).field, "page_size");
    cr_expect_str_eq(page_size(-1, &size).field, "page_size");
}

// How many rows of so many bytes fit.
static size_t fit(size_t size, size_t count)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Text row, **rows = arena_array(arena, count + 1, sizeof(*rows));
    baro__text__init(&row);
    row.value = arena_alloc(arena, size + 1);
    memset(row.value, 'x', size);
    for (size_t i = 0; i < count; i++)
        rows[i] = &row;
    return page_fit(rows, count);
}

Test(page, has_as_many_rows_as_one_message_carries_but_one_at_least)
{
    cr_expect_eq(fit(100, 0), 0);
    cr_expect_eq(fit(100, 100), 100);
    cr_expect_eq(fit(2 * MESSAGE_MAX, 3), 1);
    cr_expect_eq(fit(MESSAGE_MAX / 2, 3), 1);
    size_t many = fit(1000, 1000);
    cr_expect(many > 200 && many * 1000 < MESSAGE_MAX);
}

Test(page, tokens_give_their_keys_back)
{
    SCOPED(arena) *arena = arena_create();
    const int64_t keys[] = {INT64_MIN, INT64_MAX};
    int64_t read[2] = {0, 0};
    const char *token = page_token(arena, "price_asc", keys, COUNT(keys));
    cr_assert(!failed(page_token_parse(arena, token, "price_asc", read, COUNT(read))));
    cr_expect_arr_eq(read, keys, sizeof keys);
    cr_expect_null(strpbrk(token, "+/="));
}

Test(page, tokens_of_others_are_refused)
{
    SCOPED(arena) *arena = arena_create();
    const int64_t key = 5;
    int64_t read[2];
    const char *tokens[] = {
        page_token(arena, "latest", &key, 1),    // of another list
        page_token(arena, "price_asc", &key, 1), // with a key too few
        text_base64url(arena, "price_asc:1:x", 13),
        text_base64url(arena, "", 0),
        "!!",
        "가",
        text_base64url(arena, "price_asc:1: 2", 14), // the right keys, but not as we write them
        text_base64url(arena, "price_asc:1:02", 14),
        text_base64url(arena, "price_asc::1:2", 14),
        text_base64url(arena, "price_asc:1:2\0x", 15),
    };
    for (size_t i = 0; i < COUNT(tokens); i++) {
        struct status st = page_token_parse(arena, tokens[i], "price_asc", read, COUNT(read));
        cr_expect_eq(st.reason, REASON_VALIDATION_ERROR, "token %zu", i);
        if (failed(st))
            cr_expect_str_eq(st.field, "page_token");
    }
}
