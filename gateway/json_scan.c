// A tokenizer that knows only strings, brackets and commas. It never fails: on text that is not
// JSON it arrives somewhere, which is good enough to name the neighbourhood of an error.

#include "gateway/json_scan.h"

// Index of the quote that ends the string which starts at `start`, or length if it is cut off.
static size_t string_end(const char *text, size_t length, size_t start)
{
    size_t i = start + 1;
    while (i < length && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return i < length ? i : length;
}

static struct json_level *top(struct json_place *place)
{
    return place->depth ? &place->levels[place->depth - 1] : NULL;
}

static bool enter(struct json_place *place, bool array)
{
    if (place->depth == JSON_DEPTH_MAX)
        return false;
    place->levels[place->depth++] = (struct json_level){.array = array, .expects_key = !array};
    return true;
}

static void next_member(struct json_place *place)
{
    struct json_level *level = top(place);
    if (!level)
        return;
    level->index += level->array;
    level->expects_key = !level->array;
}

static void take_string(struct json_place *place, const char *text, size_t length)
{
    struct json_level *level = top(place);
    if (!level || !level->expects_key)
        return;
    level->expects_key = false;
    level->key = text;
    level->key_length = length;
}

bool json_scan(const char *text, size_t length, struct json_place *place)
{
    *place = (struct json_place){0};
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"') {
            size_t end = string_end(text, length, i);
            take_string(place, text + i + 1, end > i ? end - i - 1 : 0);
            i = end;
        } else if (text[i] == '{' || text[i] == '[') {
            if (!enter(place, text[i] == '['))
                return false;
        } else if (text[i] == '}' || text[i] == ']') {
            place->depth -= place->depth > 0;
        } else if (text[i] == ',') {
            next_member(place);
        }
    }
    return true;
}

const char *json_place_text(const struct json_place *place, struct arena *arena)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 64);
    for (size_t i = 0; i < place->depth; i++) {
        const struct json_level *level = &place->levels[i];
        if (level->array) {
            text_appendf(&out, "[%zu]", level->index);
        } else if (level->key) {
            text_append(&out, out.length ? "." : "");
            text_append_n(&out, level->key, level->key_length);
        }
    }
    return out.data;
}
