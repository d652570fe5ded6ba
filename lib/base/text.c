// Copies, parts, numbers and the growing buffer. Times are in text_time.c, encodings (UTF-8,
// base64url, hexadecimal, JSON) in text_code.c.
//
// Invariant of the buffer: data[length] is NUL and length < capacity. Growing doubles and leaves
// the old bytes in the arena, so a buffer costs at most twice its final size.

#include "lib/base/text.h"

#include "lib/base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

char *text_vprintf(struct arena *arena, const char *format, va_list args)
{
    char small[256]; // most texts fit: one pass instead of two
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(small, sizeof(small), format, args);
    assert(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    if ((size_t)length < sizeof(small))
        memcpy(text, small, (size_t)length);
    else
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *text_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = text_vprintf(arena, format, args);
    va_end(args);
    return text;
}

char *text_copy(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text) + 1);
}

char *text_copy_if(struct arena *arena, const char *text)
{
    return text ? text_copy(arena, text) : NULL;
}

char *text_copy_n(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

bool text_begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char ideographic_space[] = "\xE3\x80\x80"; // U+3000

// Bytes of white space at the start of [text, end), or 0.
static size_t space_at_start(const char *text, const char *end)
{
    if (text < end && (*text == ' ' || (*text >= '\t' && *text <= '\r')))
        return 1;
    return end - text >= 3 && memcmp(text, ideographic_space, 3) == 0 ? 3 : 0;
}

static size_t space_at_end(const char *text, const char *end)
{
    if (text < end && space_at_start(end - 1, end))
        return 1;
    return end - text >= 3 && memcmp(end - 3, ideographic_space, 3) == 0 ? 3 : 0;
}

static char *copy_trimmed(struct arena *arena, const char *from, const char *end)
{
    for (size_t n; (n = space_at_start(from, end)) > 0;)
        from += n;
    for (size_t n; (n = space_at_end(from, end)) > 0;)
        end -= n;
    return text_copy_n(arena, from, (size_t)(end - from));
}

char *text_trim(struct arena *arena, const char *text)
{
    return copy_trimmed(arena, text, text + strlen(text));
}

size_t text_split(struct arena *arena, const char *text, char separator, const char ***parts)
{
    size_t room = 1;
    for (const char *c = text; *c; c++)
        room += *c == separator;
    const char **list = arena_array(arena, room, sizeof(*list));
    size_t count = 0;
    for (const char *from = text; from;) {
        const char *at = strchr(from, separator);
        const char *part = copy_trimmed(arena, from, at ? at : from + strlen(from));
        if (*part)
            list[count++] = part;
        from = at ? at + 1 : NULL;
    }
    *parts = list;
    return count;
}

// Reads digits, one at least, and returns what follows them; NULL if there are none or the number
// does not fit. Counts downwards, because the negative numbers reach one further.
static const char *read_digits(const char *text, bool negative, int64_t *value)
{
    int64_t sum = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_sub_overflow(sum, *c - '0', &sum))
            return NULL;
    if (c == text || (!negative && sum == INT64_MIN))
        return NULL;
    *value = negative ? sum : -sum;
    return c;
}

bool text_parse_int64(const char *text, int64_t min, int64_t max, int64_t *value)
{
    bool negative = *text == '-';
    int64_t parsed;
    const char *rest = read_digits(text + negative, negative, &parsed);
    if (!rest || *rest || parsed < min || parsed > max)
        return false;
    *value = parsed;
    return true;
}

bool text_parse_duration_ms(const char *text, int64_t *duration_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {
        {"ms", 1            },
        {"s",  MS_PER_S     },
        {"m",  60 * MS_PER_S},
        {"h",  MS_PER_HOUR  },
        {"d",  MS_PER_DAY   },
    };
    int64_t count, total;
    const char *rest = read_digits(text, false, &count);
    for (size_t i = 0; rest && i < COUNT(units); i++) {
        if (strcmp(rest, units[i].unit) != 0)
            continue;
        if (__builtin_mul_overflow(count, units[i].ms, &total))
            return false;
        *duration_ms = total;
        return true;
    }
    return false;
}

void text_buffer_init(struct text_buffer *buffer, struct arena *arena, size_t capacity)
{
    if (capacity == 0)
        capacity = 1;
    *buffer = (struct text_buffer){
        .arena = arena, .data = arena_alloc(arena, capacity), .capacity = capacity};
}

// Makes room for length more bytes and the NUL.
static void reserve(struct text_buffer *buffer, size_t length)
{
    if (length < buffer->capacity - buffer->length)
        return;
    size_t capacity = 2 * buffer->capacity + length + 1;
    char *data = arena_alloc(buffer->arena, capacity);
    memcpy(data, buffer->data, buffer->length);
    buffer->data = data;
    buffer->capacity = capacity;
}

void text_append_n(struct text_buffer *buffer, const char *text, size_t length)
{
    reserve(buffer, length);
    if (length)
        memcpy(buffer->data + buffer->length, text, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void text_append(struct text_buffer *buffer, const char *text)
{
    text_append_n(buffer, text, strlen(text));
}

void text_append_char(struct text_buffer *buffer, char c)
{
    text_append_n(buffer, &c, 1);
}

void text_append_int64(struct text_buffer *buffer, int64_t value)
{
    char digits[24];
    char *from = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--from = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--from = '-';
    text_append_n(buffer, from, (size_t)(digits + sizeof(digits) - from));
}

void text_appendf(struct text_buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = buffer->capacity - buffer->length;
    int length = vsnprintf(buffer->data + buffer->length, room, format, args);
    assert(length >= 0);
    if ((size_t)length >= room) {
        reserve(buffer, (size_t)length);
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
    }
    buffer->length += (size_t)length;
    va_end(again);
    va_end(args);
}
