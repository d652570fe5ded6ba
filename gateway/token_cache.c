// A set-associative table, as in a processor: the hash picks a set of four, and in a full set the
// entry that expires first goes. Nothing is allocated after the start and nothing has to be swept.

#include "gateway/token_cache.h"

#include "lib/base/memory.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 8192, WAYS = 4 };

struct entry {
    struct token_hash hash;
    struct verified_token token; // expires_s 0: free
};

struct token_cache {
    uint8_t key[crypto_generichash_KEYBYTES];
    struct entry sets[SETS][WAYS];
};

struct token_cache *token_cache_create(void)
{
    struct token_cache *cache = memory_alloc(sizeof(*cache));
    crypto_generichash_keygen(cache->key);
    return cache;
}

void token_cache_destroy(struct token_cache *cache)
{
    free(cache);
}

void token_cache_hash(const struct token_cache *cache, const char *token, struct token_hash *hash)
{
    crypto_generichash(hash->bytes, sizeof(hash->bytes), (const uint8_t *)token, strlen(token),
                       cache->key, sizeof(cache->key));
}

static size_t set_of(const struct token_hash *hash)
{
    uint32_t number;
    memcpy(&number, hash->bytes, sizeof(number));
    return number % SETS;
}

static bool is_hit(const struct entry *entry, const struct token_hash *hash)
{
    return entry->token.expires_s != 0 &&
           sodium_memcmp(entry->hash.bytes, hash->bytes, sizeof(hash->bytes)) == 0;
}

bool token_cache_find(const struct token_cache *cache, const struct token_hash *hash,
                      struct verified_token *token)
{
    const struct entry *set = cache->sets[set_of(hash)];
    for (size_t i = 0; i < WAYS; i++)
        if (is_hit(&set[i], hash)) {
            *token = set[i].token;
            return true;
        }
    return false;
}

void token_cache_put(struct token_cache *cache, const struct token_hash *hash,
                     const struct verified_token *token)
{
    struct entry *set = cache->sets[set_of(hash)];
    struct entry *victim = &set[0];
    for (size_t i = 0; i < WAYS && !is_hit(victim, hash); i++)
        if (is_hit(&set[i], hash) || set[i].token.expires_s < victim->token.expires_s)
            victim = &set[i];
    *victim = (struct entry){*hash, *token};
}

void token_cache_clear(struct token_cache *cache)
{
    memset(cache->sets, 0, sizeof(cache->sets));
}
