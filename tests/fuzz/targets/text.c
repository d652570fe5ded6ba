// Numbers, times, money and codes as text: what is read and written again says the same, and arithmetic
// agrees with wider arithmetic.

#include "lib/base/money.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <string.h>

__extension__ typedef __int128 wide;

static void check_numbers(const char *text, struct arena *arena)
{
    int64_t number, again, duration_ms;
    if (text_parse_int64(text, INT64_MIN, INT64_MAX, &number)) {
        const char *written = text_printf(arena, "%" PRId64, number);
        bool same = text_parse_int64(written, number, number, &again);
        assert(same && again == number);
    }
    if (text_parse_int64(text, 1, 1000, &number))
        assert(number >= 1 && number <= 1000);
    if (text_parse_duration_ms(text, &duration_ms))
        assert(duration_ms >= 0);
}

static void check_time(const char *text, struct arena *arena)
{
    int64_t time_us, again_us;
    if (!text_parse_time(text, &time_us))
        return;
    bool same = text_parse_time(text_from_time(arena, time_us), &again_us);
    assert(same && again_us == time_us);
}

static void check_codes(const char *text, size_t length, struct arena *arena)
{
    uint8_t *bytes;
    size_t size;
    const char *code = text_base64url(arena, text, length);
    bool back = text_parse_base64url(arena, code, &bytes, &size);
    assert(back && size == length && memcmp(bytes, text, length) == 0);
    if (text_parse_base64url(arena, text, &bytes, &size))
        assert(size <= strlen(text));
}

static void check_texts(const char *text, size_t length, struct arena *arena)
{
    const char **parts;
    size_t count = text_split(arena, text, ',', &parts);
    for (size_t i = 0; i < count; i++)
        assert(*parts[i] && !strchr(parts[i], ','));
    if (text_is_utf8(text, length))
        assert(text_is_utf8(text_trim(arena, text), strlen(text_trim(arena, text))) &&
               text_length_utf8(text) <= length);
    struct text_buffer json;
    text_buffer_init(&json, arena, 64);
    text_append_json(&json, text, length);
    assert(is_json(json.data, json.length));
}

static void check_money(struct input *input)
{
    int64_t a = input_number(input), b = input_number(input), result;
    bool fits = money_add(a, b, &result);
    assert(fits ? (wide)a + b == result : (wide)a + b != (int64_t)((wide)a + b));
    fits = money_multiply(a, b, &result);
    assert(fits ? (wide)a * b == result : (wide)a * b != (int64_t)((wide)a * b));
    if (a >= 0 && b >= 0 && b <= 10000)
        assert(money_percent(a, b) == (int64_t)((wide)a * b / 10000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    check_money(&(struct input){data, data + size});
    size_t length;
    const char *text = input_rest(&input, arena, &length);
    check_numbers(text, arena);
    check_time(text, arena);
    check_codes(text, length, arena);
    check_texts(text, length, arena);
    return 0;
}
