#pragma once
// Who caused what: W3C trace context and X-Request-Id, taken over from the client or made here.

#include "lib/trace/span.h"

struct trace {
    struct trace_context context;  // our span
    uint64_t caller;               // the client's span; 0: the trace begins here
    char id[33];                   // 32 hex digits
    char parent[TRACEPARENT_SIZE]; // what we send on and return: 00-<id>-<our span>-<flags>
    const char *request_id;
};

// Takes over what is valid: a traceparent of version 00 that is not all zero, and a request id of
// 1 to 128 characters out of [A-Za-z0-9._:-]. Everything else is replaced, never echoed. Both may be
// NULL; request_id is borrowed. Of the traces that begin here `share` percent are sampled, while spans
// go somewhere; a client's trace is when it says so. Thread-safe.
void trace_begin(struct trace *trace, const char *traceparent, const char *request_id,
                 int64_t share);

struct request;

// The answer is set: the request's span ends, if it is sampled.
void trace_end(const struct request *request, int64_t took_us);
