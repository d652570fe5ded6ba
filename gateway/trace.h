#pragma once
// Who caused what: W3C trace context and X-Request-Id, taken over from the client or made here.

#include "lib/base/arena.h"

struct trace {
    char id[33];     // 32 hex digits
    char parent[56]; // what we send on and return: 00-<id>-<our span>-<flags>
    const char *request_id;
};

// Takes over what is valid: a traceparent of version 00 that is not all zero, and a request id of
// 1 to 128 characters out of [A-Za-z0-9._:-]. Everything else is replaced, never echoed. Both may be
// NULL; request_id is borrowed. Thread-safe.
void trace_begin(struct trace *trace, const char *traceparent, const char *request_id);
