#pragma once
// Who asks: verifies access tokens (ES256) with the public keys of the user service.
//
// A token is trusted only if its header names the one algorithm that we issue and a key that we
// know, before anything is verified; then its signature, issuer, audience and times are checked.
// Verified tokens are kept until they expire, found by a keyed hash, in a table of fixed size.

#include "lib/base/text.h"
#include "lib/rpc/method.h"
#include "proto/user.pb-c.h"

struct auth;

struct auth *auth_create(void);

// Accepts NULL.
void auth_destroy(struct auth *auth);

// Takes over a key set: keys that are not in it are forgotten, with every token that they signed.
// Keys that are not usable ES256 keys are left out. Thread-safe.
void auth_set_keys(struct auth *auth, const Baro__User__KeySet *keys);

// True once there is a key.
bool auth_has_keys(struct auth *auth);

// Checks an Authorization header at the time now_us (since 1970) and tells the caller.
// UNAUTHENTICATED, TOKEN_EXPIRED; UNAVAILABLE when the key may be one that we have not heard of yet:
// *stale is then set and the key set should be fetched. Thread-safe.
struct status auth_check(struct auth *auth, const char *authorization, int64_t now_us,
                         struct arena *arena, struct caller *caller, bool *stale);

// The public keys as a JSON Web Key Set.
void auth_write_keys(struct auth *auth, struct text_buffer *out);

// True when the key set is old enough to be fetched again: after a minute; after 3 s when a
// token named an unknown key, or when there is no key yet after 1 s. Marks it as being fetched.
bool auth_should_fetch(struct auth *auth, int64_t now_monotonic_us);
