#pragma once
// A keyed MAC (libsodium BLAKE2b, 16 bytes) at the end of every message between processes. Shared by RPC
// and pub/sub.

#include "lib/base/status.h"

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>

enum { SEAL_SIZE = 16 };

struct seal_key {
    uint8_t bytes[32];
};

// Derives the key from the shared secret; FAILED_PRECONDITION for one below 16 characters.
struct status seal_key_init(struct seal_key *key, const char *secret);

// Appends the MAC over the body; nng's error when there is no memory.
int seal(const struct seal_key *key, nng_msg *message);

// Checks and removes the MAC; false for a message that is too short or not ours.
bool seal_open(const struct seal_key *key, nng_msg *message);
