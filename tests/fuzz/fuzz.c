#include "tests/fuzz/fuzz.h"

#include "lib/base/macros.h"

#include <jansson.h>
#include <string.h>

struct input input_of(const uint8_t *data, size_t size)
{
    return (struct input){data, data + size};
}

bool input_is_empty(const struct input *input)
{
    return input->at == input->end;
}

uint8_t input_byte(struct input *input)
{
    return input_is_empty(input) ? 0 : *input->at++;
}

// The first byte says how the number is written.
int64_t input_number(struct input *input)
{
    static const int64_t limits[] = {0, 100, 1000, 10000000, INT32_MAX, INT64_MAX, INT64_MIN};
    uint8_t how = input_byte(input);
    uint64_t bits = 0;
    if (how < 128)
        return (int64_t)how - 8;
    if (how < 192)
        return (int64_t)((uint64_t)limits[how % COUNT(limits)] + input_byte(input) - 4);
    for (int i = 0; i < how % 8; i++)
        bits = bits << 8 | input_byte(input);
    return (int64_t)bits;
}

size_t input_below(struct input *input, size_t below)
{
    return input_byte(input) % below;
}

char *input_line(struct input *input, struct arena *arena, size_t *length)
{
    size_t left = (size_t)(input->end - input->at);
    const uint8_t *end = left ? memchr(input->at, '\n', left) : NULL;
    size_t size = end ? (size_t)(end - input->at) : left;
    char *line = text_copy_n(arena, (const char *)input->at, size);
    input->at += size + (end != NULL);
    if (length)
        *length = size;
    return line;
}

char *input_rest(struct input *input, struct arena *arena, size_t *length)
{
    size_t left = (size_t)(input->end - input->at);
    char *rest = text_copy_n(arena, (const char *)input->at, left);
    input->at = input->end;
    if (length)
        *length = left;
    return rest;
}

struct arena *input_arena(void)
{
    static struct arena *arena;
    if (arena)
        arena_reset(arena);
    else
        arena = arena_create();
    return arena;
}

bool is_json(const char *text, size_t length)
{
    json_t *value =
        json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_decref(value);
    return value != NULL;
}
