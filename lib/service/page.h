#pragma once
// Keyset pages: `page_size` and an opaque `page_token` that holds the sort keys of the last row. A
// page is shorter than was asked for when its rows are large: a reply is one message between
// services.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { PAGE_SIZE_DEFAULT = 20, PAGE_SIZE_MAX = 100 };

// The size asked for, or the default for 0. VALIDATION_ERROR on "page_size" beyond 1..100.
struct status page_size(int32_t asked, int64_t *size);

// How many of the rows (pointers to messages) one reply can carry; of any rows at least one.
size_t page_fit(const void *rows, size_t count);

// The token of a list in the given order ("price_asc") after a row with these keys.
char *page_token(struct arena *arena, const char *order, const int64_t *keys, size_t count);

// Reads the keys back. VALIDATION_ERROR on "page_token" for anything that page_token did not make
// for this order.
struct status page_token_parse(struct arena *arena, const char *token, const char *order,
                               int64_t *keys, size_t count);
