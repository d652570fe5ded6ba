#pragma once
// Strings, numbers, times and codes as text. Results live in the arena that is passed.

#include "lib/base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// printf into the arena. Never NULL.
char *text_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *text_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

// Copies a string; text_copy_n copies length bytes and ends them with NUL; text_copy_if takes NULL for
// no text and gives it back.
char *text_copy(struct arena *arena, const char *text);
char *text_copy_if(struct arena *arena, const char *text);
char *text_copy_n(struct arena *arena, const char *text, size_t length);

bool text_begins_with(const char *text, const char *prefix);

// Splits at each separator, trims spaces and drops empty parts: "a, b" -> {"a", "b"}.
// Returns the number of parts; *parts is in the arena.
size_t text_split(struct arena *arena, const char *text, char separator, const char ***parts);

// The text without leading and trailing white space (ASCII and U+3000), copied.
char *text_trim(struct arena *arena, const char *text);

// A whole decimal integer inside [min, max]; false (nothing written) for anything else.
bool text_parse_int64(const char *text, int64_t min, int64_t max, int64_t *value);

// "500ms", "10s", "5m", "2h", "1d" -> milliseconds; false for anything else.
bool text_parse_duration_ms(const char *text, int64_t *duration_ms);

// RFC 3339 UTC with microseconds trimmed to what is needed: "2026-11-21T04:22:00Z".
char *text_from_time(struct arena *arena, int64_t time_us);

// Parses RFC 3339 (any offset) or a plain date "2026-11-21" (midnight UTC).
bool text_parse_time(const char *text, int64_t *time_us);

// True for well-formed UTF-8 without NUL, surrogates or overlong forms.
bool text_is_utf8(const char *text, size_t length);

// Number of code points of well-formed UTF-8.
size_t text_length_utf8(const char *text);

// base64url without padding (RFC 4648 5). Decoding returns false for any other character.
char *text_base64url(struct arena *arena, const void *bytes, size_t size);
bool text_parse_base64url(struct arena *arena, const char *text, uint8_t **bytes, size_t *size);

// Lower-case hexadecimal.
char *text_hex(struct arena *arena, const void *bytes, size_t size);

// A growing string in an arena, for output that is written piece by piece.
struct text_buffer {
    struct arena *arena;
    char *data; // always NUL-terminated
    size_t length;
    size_t capacity;
};

void text_buffer_init(struct text_buffer *buffer, struct arena *arena, size_t capacity);
void text_append(struct text_buffer *buffer, const char *text);
void text_append_n(struct text_buffer *buffer, const char *text, size_t length);
void text_append_char(struct text_buffer *buffer, char c);
void text_append_int64(struct text_buffer *buffer, int64_t value);
void text_appendf(struct text_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Appends a JSON string with its quotes; control characters, quotes and backslashes are escaped.
void text_append_json(struct text_buffer *buffer, const char *text, size_t length);
