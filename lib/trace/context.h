#pragma once
// W3C trace context: which trace something belongs to, and under which span.

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { TRACEPARENT_SIZE = 56 }; // 00-<32 hex>-<16 hex>-<2 hex> and NUL

// A value. A trace and a span are never 0.
struct trace_context {
    uint64_t trace[2];
    uint64_t span;
    bool sampled; // its spans are wanted
};

// False, nothing written, for anything but version 00 with lower-case digits that are not all zero.
bool trace_context_parse(const char *traceparent, struct trace_context *context);
void trace_context_write(const struct trace_context *context, char traceparent[TRACEPARENT_SIZE]);

// A new trace; a new span of the same trace. Unique without a system call; from any thread.
struct trace_context trace_context_begin(bool sampled);
struct trace_context trace_context_child(const struct trace_context *parent);

// The trace's 32 digits of a traceparent, "" for what is none: for logs.
const char *trace_id_of(const char *traceparent, struct arena *arena);

// Hexadecimal digits and NUL: the trace's 32, the span's 16.
void trace_id_write(const struct trace_context *context, char text[33]);
void span_id_write(uint64_t span, char text[17]);
