#pragma once
// Mutual TLS between processes: who this process is to its peers, and whom it believes.
//
// A process has one identity, set once at its start beside nng's threads; every socket that listens or
// dials takes it from here (line.h), so that none can be opened without it. TLS 1.3; both sides show a
// certificate that the authority signed and that bears the one name that all processes share, because
// the addresses of replicas come and go. Without certificates tls+tcp:// is refused, and with them
// tcp:// is; ipc:// is guarded by the file system. New certificates are read at the next start;
// baro_tls_expires_seconds says how long there is time for it.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <openssl/types.h>
#include <stdbool.h>

// Paths of PEM files: all three, or none ("" or NULL).
struct tls_files {
    const char *certificate; // BARO_TLS_CERT: with the chain that leads to the authority
    const char *key;         // BARO_TLS_KEY
    const char *authority;   // BARO_TLS_CA: one or several, while one is replaced
    const char *name;        // BARO_TLS_NAME: what every certificate must be for
};

// Takes the identity; before any socket. INVALID_ARGUMENT names the setting; words are in the arena.
struct status tls_prepare(const struct tls_files *files, struct arena *arena);

bool tls_is_on(void);

// TLS with this identity over a connected socket, from either side, the handshake still to be done.
// The caller frees it; the descriptor stays the caller's.
SSL *tls_open(int fd, bool accepting);

// Why the handshake failed, in words (static).
const char *tls_problem(SSL *ssl);
