#pragma once
// Where in a JSON text a byte stands: jansson reports errors by position, clients want the field.

#include "gateway/transcode.h"

struct json_level {
    bool array;
    bool expects_key;
    size_t index;
    const char *key; // into the text, without quotes
    size_t key_length;
};

struct json_place {
    struct json_level levels[JSON_DEPTH_MAX];
    size_t depth;
};

// Walks the text up to `length` and leaves the place that is reached. False when the nesting goes
// beyond JSON_DEPTH_MAX: the place is then where that happens. The text need not be well-formed.
bool json_scan(const char *text, size_t length, struct json_place *place);

// "items[1].quantity"; "" for the top.
const char *json_place_text(const struct json_place *place, struct arena *arena);
