#pragma once
// The spans of calls and batches. A call whose caller is traced gets a span of its own, which is the
// parent of what it calls; a batch is a trace of its own, for its calls come from many: it links
// them, and each of them links it.

#include "lib/rpc/dispatcher_private.h"

// Takes the caller's context over; call->traceparent names the call's own span from then on.
void call_trace_begin(struct call *call, const char *traceparent);

// When the outcome is set and nobody else has the call.
void call_trace_end(const struct call *call);

struct batch_trace {
    struct trace_context context; // its span; 0: nobody of the batch is traced
    int64_t started_us;           // monotonic
    const char *name;             // of the method
    size_t count;                 // calls
    struct trace_context *links;  // of the traced ones, in the worker
    size_t link_count;
    char traceparent[TRACEPARENT_SIZE]; // "": not traced
};

void batch_trace_begin(struct batch_trace *trace, struct worker *worker,
                       const struct method_entry *entry, size_t count);
void batch_trace_end(const struct batch_trace *trace);
