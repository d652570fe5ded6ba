// Encodings: UTF-8, base64url, hexadecimal, JSON strings.
//
// text_append_json promises well-formed output whatever the input is: bytes that are no UTF-8
// become U+FFFD, and every control character (also DEL and C1, which terminals obey) is escaped.

#include "lib/base/text.h"

#include <sodium.h>
#include <string.h>

// Length of the well-formed sequence at the start of [text, text + length), 0 if there is none
// (Unicode 15, table 3-7). NUL counts as none.
static size_t sequence_length(const char *text, size_t length)
{
    static const struct {
        uint8_t first_low, first_high, second_low, second_high;
        uint8_t length;
    } forms[] = {
        {0x01, 0x7F, 0x00, 0xFF, 1},
        {0xC2, 0xDF, 0x80, 0xBF, 2},
        {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3},
        {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4},
        {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0; i < COUNT(forms); i++) {
        size_t n = forms[i].length;
        if (bytes[0] < forms[i].first_low || bytes[0] > forms[i].first_high)
            continue;
        if (n > length)
            return 0;
        if (n > 1 && (bytes[1] < forms[i].second_low || bytes[1] > forms[i].second_high))
            return 0;
        for (size_t k = 2; k < n; k++)
            if ((bytes[k] & 0xC0) != 0x80)
                return 0;
        return n;
    }
    return 0;
}

bool text_is_utf8(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t n = sequence_length(text + i, length - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t text_length_utf8(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((uint8_t)*text & 0xC0) != 0x80;
    return count;
}

char *text_base64url(struct arena *arena, const void *bytes, size_t size)
{
    size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return sodium_bin2base64(arena_alloc(arena, room), room, bytes, size,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool text_parse_base64url(struct arena *arena, const char *text, uint8_t **bytes, size_t *size)
{
    size_t length = strlen(text);
    size_t room = length / 4 * 3 + 3;
    uint8_t *decoded = arena_alloc(arena, room);
    size_t decoded_size;
    if (sodium_base642bin(decoded, room, text, length, NULL, &decoded_size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    *bytes = decoded;
    *size = decoded_size;
    return true;
}

char *text_hex(struct arena *arena, const void *bytes, size_t size)
{
    return sodium_bin2hex(arena_alloc(arena, 2 * size + 1), 2 * size + 1, bytes, size);
}

static bool is_plain(char c)
{
    return (uint8_t)c >= 0x20 && (uint8_t)c < 0x7F && c != '"' && c != '\\';
}

// Appends the character at text, which is not plain, and returns its length in bytes.
static size_t append_escaped(struct text_buffer *buffer, const char *text, size_t length)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt"; // pairs: character, letter
    for (size_t i = 0; i + 1 < sizeof(shorts); i += 2)
        if (*text == shorts[i]) {
            text_append_char(buffer, '\\');
            text_append_char(buffer, shorts[i + 1]);
            return 1;
        }
    uint8_t byte = (uint8_t)*text;
    if (byte < 0x20 || byte == 0x7F) {
        text_appendf(buffer, "\\u%04x", byte);
        return 1;
    }
    size_t n = sequence_length(text, length);
    if (n == 0) {
        text_append(buffer, "\\ufffd");
        return 1;
    }
    if (byte == 0xC2 && (uint8_t)text[1] < 0xA0)
        text_appendf(buffer, "\\u%04x", (uint8_t)text[1]);
    else
        text_append_n(buffer, text, n);
    return n;
}

void text_append_json(struct text_buffer *buffer, const char *text, size_t length)
{
    text_append_char(buffer, '"');
    for (size_t i = 0; i < length;) {
        size_t plain = 0;
        while (i + plain < length && is_plain(text[i + plain]))
            plain++;
        text_append_n(buffer, text + i, plain);
        i += plain;
        if (i < length)
            i += append_escaped(buffer, text + i, length - i);
    }
    text_append_char(buffer, '"');
}
