#pragma once
// Signatures of Standard Webhooks 1.0: HMAC-SHA256 over "id.timestamp.body" with a secret that is written
// "whsec_" and base64.

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIGNING_KEYS_MAX = 8, SIGNING_KEY_MIN = 24, SIGNING_KEY_MAX = 64 };

struct signing_keys {
    size_t count;
    size_t sizes[SIGNING_KEYS_MAX];
    uint8_t bytes[SIGNING_KEYS_MAX][SIGNING_KEY_MAX];
};

// Reads secrets separated by spaces. False unless there is at least one and each has 24 to 64 bytes.
bool signing_keys_parse(const char *secrets, struct signing_keys *keys);

// The value of `webhook-signature`: "v1,BASE64", one for each key, separated by spaces, so that a
// receiver that knows the old or the new key is content.
char *signature_of(struct arena *arena, const struct signing_keys *keys, const char *message_id,
                   int64_t timestamp_s, const char *body, size_t size);
