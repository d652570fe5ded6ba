#pragma once
// Access tokens (JWT, ES256, one hour) and refresh tokens (random, kept only as a hash).

#include "lib/base/arena.h"
#include "services/user/account.h"
#include "services/user/signing_key.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ACCESS_TOKEN_S = 3600,
    REFRESH_TOKEN_S = 14 * 24 * 3600, // since its last rotation
    FAMILY_SIZE = 16,
    SECRET_SIZE = 32,
    SECRET_HASH_SIZE = 32,
};

// What a client holds: the family names the sign-in it stems from, the secret changes with each
// rotation. Neither can be guessed, so whoever names a family with a stale secret once had it.
struct refresh_token {
    uint8_t family[FAMILY_SIZE];
    uint8_t secret[SECRET_SIZE];
};

// Signs an access token for the account; issued at now_us, good from that second on.
struct status access_token_sign(const struct signing_key *key, const struct account *account,
                                int64_t now_us, struct arena *arena, const char **token);

// A token of a new family; a token of the same family with a new secret.
void refresh_token_make(struct refresh_token *token);
void refresh_token_rotate(struct refresh_token *token);

// As text for the client, and back; false for what cannot be one of ours.
char *refresh_token_text(const struct refresh_token *token, struct arena *arena);
bool refresh_token_parse(const char *text, struct arena *arena, struct refresh_token *token);

// What the database keeps of a token, and whether a token is the one that was kept.
void refresh_token_hash(const struct refresh_token *token, uint8_t hash[SECRET_HASH_SIZE]);
bool refresh_token_matches(const struct refresh_token *token, const uint8_t hash[SECRET_HASH_SIZE]);
