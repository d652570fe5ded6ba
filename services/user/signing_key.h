#pragma once
// The ES256 key that signs access tokens, and its public half as gateways get it.

#include "lib/base/arena.h"
#include "lib/base/status.h"

// Immutable after it is made; shared by all threads.
struct signing_key {
    const char *pem; // the private key
    const char *kid; // RFC 7638 thumbprint: the same key has the same name everywhere
    const char *x;   // base64url coordinates of the public point
    const char *y;
};

// Reads a PEM private key on P-256. FAILED_PRECONDITION for anything else. Lives in arena.
struct status signing_key_parse(const char *pem, struct arena *arena, struct signing_key **key);

// A new private key as PEM, in arena.
struct status signing_key_generate(struct arena *arena, char **pem);
