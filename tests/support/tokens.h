#pragma once
// Access tokens made by hand, good and bad, to see who lets them in.

#include "lib/base/arena.h"
#include "proto/user.pb-c.h"

#include <stdint.h>

struct signer;

// A fresh P-256 key with a key id.
struct signer *signer_create(const char *kid);
void signer_destroy(struct signer *signer);

// The public key as the user service would publish it.
Baro__User__Key *signer_jwk(const struct signer *signer, struct arena *arena);

// Its PEM: what an attacker who knows the public key could use as a secret.
const char *signer_public_pem(const struct signer *signer);

// What goes into a token; NULL or 0 leaves a claim out.
struct token_claims {
    const char *iss, *aud, *sub, *role;
    int64_t exp_s, nbf_s;
};

// Good claims for user 7 with a role, from now on for an hour.
struct token_claims good_claims(const char *role);

// "header.claims.signature", signed with ES256.
char *signer_token(const struct signer *signer, struct arena *arena, struct token_claims claims);

// The same claims under a header of one's own: unsigned if secret is NULL, else HS256 with it.
char *forged_token(struct arena *arena, const char *header, struct token_claims claims,
                   const char *secret);
