#pragma once
// Calls of the admin API. What changes orders and sagas goes through here, so that their owner's rules
// and histories hold, whoever asks.
//
// Settings: BARO_GATEWAY_URL; BARO_ADMIN_TOKEN, or BARO_ADMIN_EMAIL and BARO_ADMIN_PASSWORD to sign in
// with. Signing in is limited per minute: scripts that call baroctl often set a token.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <jansson.h>

struct gateway;

// Signs in. `url` NULL: the setting's. VALIDATION_ERROR for settings that are missing or bad; what the
// gateway refuses; UNAVAILABLE when it cannot be reached. The messages are in the arena.
struct status gateway_open(const char *url, struct arena *arena, struct gateway **gateway);

// Signs out if it has signed in. Accepts NULL.
void gateway_close(struct gateway *gateway);

// Where it is: "http://127.0.0.1:8080".
const char *gateway_url(const struct gateway *gateway);

// `path` is below /api/v1. The caller owns *reply. A problem comes back as its status, with the
// gateway's words as message.
struct status gateway_call(struct gateway *gateway, const char *method, const char *path,
                           const json_t *body, json_t **reply);

DEFINE_SCOPED(gateway, gateway_close)
