#pragma once
// Tokens that were verified, found by a keyed hash. Fixed size: an old entry makes room for a new
// one. Not locked: `struct auth` does that.

#include "lib/rpc/method.h"

struct token_cache;

struct token_hash {
    uint8_t bytes[16];
};

struct verified_token {
    struct caller caller;
    int64_t expires_s; // since 1970
};

struct token_cache *token_cache_create(void);

// Accepts NULL.
void token_cache_destroy(struct token_cache *cache);

// BLAKE2b under a key of this process: nobody outside can aim at an entry. Needs no lock.
void token_cache_hash(const struct token_cache *cache, const char *token, struct token_hash *hash);

bool token_cache_find(const struct token_cache *cache, const struct token_hash *hash,
                      struct verified_token *token);
void token_cache_put(struct token_cache *cache, const struct token_hash *hash,
                     const struct verified_token *token);
void token_cache_clear(struct token_cache *cache);
