#pragma once
// Keyset pages (SPEC 1): how many, and after which key. Tokens are opaque to clients.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { PAGE_KEYS = 2 };

struct page {
    int64_t size;
    int64_t before[PAGE_KEYS]; // INT64_MAX: from the start
};

// VALIDATION_ERROR on page_size (1 to 100; 0: 20) or page_token.
struct status page_parse(struct arena *arena, int32_t size, const char *token, struct page *page);

// The token of the page after this key.
char *page_token(struct arena *arena, const int64_t before[PAGE_KEYS]);
