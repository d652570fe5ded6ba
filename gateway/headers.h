#pragma once
// The request headers that the gateway reads, and the refusal of requests that two HTTP parsers
// could read differently (request smuggling).

#include "gateway/prefer.h"
#include "lib/base/status.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Values are borrowed from the connection for the time of the request; NULL: not sent.
struct headers {
    const char *host;
    const char *content_length;
    const char *transfer_encoding;
    const char *content_type;
    const char *authorization;
    const char *idempotency_key;
    const char *traceparent;
    const char *request_id;
    const char *if_none_match;
    const char *accept_language;
    const char *last_event_id;
    const char *origin;
    const char *requested_method; // Access-Control-Request-Method
    struct preferences preferences;
    const char *wrong; // why the request must be refused, or NULL
};

// Collects the headers in one pass. VALIDATION_ERROR for a request that must be refused and its
// connection closed: repeated or malformed framing headers, both kinds of length, control
// characters, a missing Host, an unknown version.
struct status headers_read(struct MHD_Connection *connection, const char *version,
                           struct headers *headers);

// True when the body is JSON by its type, with or without charset=utf-8.
bool headers_say_json(const struct headers *headers);

// 1 to 255 visible ASCII characters.
bool idempotency_key_is_valid(const char *key);
