#pragma once
// A keyed MAC (libsodium BLAKE2b, 16 bytes) at the end of every message between processes, and the
// options that every socket gets. Shared by RPC and pub/sub.

#include "lib/base/status.h"

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>

enum { SEAL_SIZE = 16, MESSAGE_MAX = 256 * 1024 };

struct seal_key {
    uint8_t bytes[32];
};

// Derives the key from the shared secret (any text of 16 characters or more).
struct status seal_key_init(struct seal_key *key, const char *secret);

// Appends the MAC over the body.
int seal(const struct seal_key *key, nng_msg *message);

// Checks and removes the MAC; false for a message that is too short or not ours.
bool seal_open(const struct seal_key *key, nng_msg *message);

// Receive limit, reconnect times, no Nagle: the options of DESIGN 3 and RELIABILITY 3.
int socket_set_common_options(nng_socket socket);

// FAILED_PRECONDITION unless the loaded nng is 1.10 or newer (DESIGN 2); sets nng's thread counts.
// Call once at start-up, before any other nng call.
struct status nng_prepare(void);

// nng -> status: the one table at this border.
struct status status_of_nng(int error);
