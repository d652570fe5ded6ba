#pragma once
// What the fuzz targets share. A target is one function that is called with bytes that nobody chose:
// libFuzzer (clang) makes them, and keeps those that reach something new. What must hold for every input
// is an assert; AddressSanitizer and UBSan watch the rest.
//
// Input is text, in lines, wherever it can be, so that seeds are readable (seeds/TARGET: an input a line).

#include "lib/base/arena.h"
#include "lib/base/text.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The target. Returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What has not been taken yet.
struct input {
    const uint8_t *at, *end;
};
struct input input_of(const uint8_t *data, size_t size);
bool input_is_empty(const struct input *input);

// The next byte; 0 at the end.
uint8_t input_byte(struct input *input);

// A number: small, near a limit of an integer, or any. Below: of 0 to below - 1.
int64_t input_number(struct input *input);
size_t input_below(struct input *input, size_t below);

// The rest of the line, without its end; *length may be NULL, and the text may hold NUL then. The rest: to
// the end of the input.
char *input_line(struct input *input, struct arena *arena, size_t *length);
char *input_rest(struct input *input, struct arena *arena, size_t *length);

// An arena that is empty at the beginning of each run.
struct arena *input_arena(void);

// One whole JSON value, with no key twice and nothing behind it.
bool is_json(const char *text, size_t length);
