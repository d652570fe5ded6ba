#pragma once
// What the HTTP client saw, for the check of answers against the API's description (tests/openapi).

#include <jansson.h>

struct exchange {
    const char *method;
    const char *url;
    const char *request; // JSON, or NULL
    long status;
    const char *type;       // Content-Type, or NULL
    const json_t *response; // or NULL
};

// Appends the exchange as a line to the file that $BARO_TEST_TRANSCRIPT names; nothing without it.
// Processes and threads can share the file.
void transcript_note(const struct exchange *exchange);
