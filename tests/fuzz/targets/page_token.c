// A page token is what we made, to the last character, or it is refused.

#include "lib/service/page.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { KEYS = 2 };
static const char ORDER[] = "price_asc";

static void check_parsing(const char *token, struct arena *arena)
{
    int64_t keys[KEYS];
    struct status st = page_token_parse(arena, token, ORDER, keys, KEYS);
    assert(failed(st) || strcmp(page_token(arena, ORDER, keys, KEYS), token) == 0);
}

static void check_round_trip(struct input *input, struct arena *arena)
{
    int64_t keys[KEYS] = {input_number(input), input_number(input)}, read[KEYS];
    const char *token = page_token(arena, ORDER, keys, KEYS);
    struct status st = page_token_parse(arena, token, ORDER, read, KEYS);
    assert(!failed(st) && memcmp(keys, read, sizeof(keys)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    size_t length;
    switch (input_below(&input, 3)) {
    case 0:
        check_parsing(input_rest(&input, arena, NULL), arena);
        break;
    case 1: {
        const char *text = input_rest(&input, arena, &length);
        check_parsing(text_base64url(arena, text, length), arena);
        break;
    }
    default:
        check_round_trip(&input, arena);
    }
    return 0;
}
