// Whoever knows the secret may speak. The MAC covers the body only: what nng keeps in the header
// (request ids, hops) differs between the two ends of a message.
//
// The key is derived from the secret with a context word, so that the same secret may serve other
// purposes elsewhere without the keys being equal.

#include "lib/rpc/seal.h"

#include <sodium.h>
#include <string.h>

enum { SECRET_MIN = 16 };

struct status seal_key_init(struct seal_key *key, const char *secret)
{
    static const uint8_t context[] = "baro message seal 1";
    if (sodium_init() < 0)
        return refuse(REASON_INTERNAL, "libsodium does not start");
    if (!secret || strlen(secret) < SECRET_MIN)
        return (struct status){STATUS_FAILED_PRECONDITION, REASON_VALIDATION_ERROR, "secret",
                               "the shared secret needs 16 characters or more"};
    uint8_t digest[crypto_generichash_KEYBYTES];
    crypto_generichash(digest, sizeof(digest), (const uint8_t *)secret, strlen(secret), NULL, 0);
    crypto_generichash(key->bytes, sizeof(key->bytes), context, sizeof(context), digest,
                       sizeof(digest));
    sodium_memzero(digest, sizeof(digest));
    return OK;
}

static void mac(const struct seal_key *key, const void *body, size_t size, uint8_t out[SEAL_SIZE])
{
    crypto_generichash(out, SEAL_SIZE, body, size, key->bytes, sizeof(key->bytes));
}

int seal(const struct seal_key *key, nng_msg *message)
{
    uint8_t code[SEAL_SIZE];
    mac(key, nng_msg_body(message), nng_msg_len(message), code);
    return nng_msg_append(message, code, sizeof(code));
}

bool seal_open(const struct seal_key *key, nng_msg *message)
{
    size_t length = nng_msg_len(message);
    if (length < SEAL_SIZE)
        return false;
    uint8_t code[SEAL_SIZE];
    const uint8_t *body = nng_msg_body(message);
    mac(key, body, length - SEAL_SIZE, code);
    if (sodium_memcmp(code, body + length - SEAL_SIZE, SEAL_SIZE) != 0)
        return false;
    return nng_msg_chop(message, SEAL_SIZE) == 0;
}
