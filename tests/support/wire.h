#pragma once
// HTTP by hand: bytes out, answers in, so that a test can say what no client library would.

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct wire_reply {
    int status; // 0: no (whole) answer
    char head[8192];
    char body[512 * 1024];
    json_t *json; // of the body, or NULL
};

// Connects to 127.0.0.1.
int wire_open(int port);

// Sends bytes; a peer that has gone is no error.
void wire_send(int fd, const char *bytes, size_t size);
void wire_say(int fd, const char *text);

// Reads one answer, within 5 s. The reply is static: the next call overwrites it.
struct wire_reply *wire_read(int fd);

// True when the peer closes within the time.
bool wire_is_closed(int fd, int timeout_ms);

// One request on a connection of its own. `headers` are lines that end with CRLF; body may be NULL.
struct wire_reply *wire_call(int port, const char *method, const char *target, const char *headers,
                             const char *body);

// The value of a header of the answer ("" if absent), in a static buffer.
const char *wire_header(const struct wire_reply *reply, const char *name);

// The problem's code, or "".
const char *wire_code(const struct wire_reply *reply);

// The first entry of errors[]: its field, or "".
const char *wire_field(const struct wire_reply *reply);
