#include "lib/rpc/call_trace.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <stdio.h>

void call_trace_begin(struct call *call, const char *traceparent)
{
    struct call_private *own = call->private;
    struct trace_context caller;
    call->traceparent = text_copy(call->arena, traceparent);
    if (!tracing() || !trace_context_parse(traceparent, &caller) || !caller.sampled)
        return;
    char child[TRACEPARENT_SIZE];
    own->trace = trace_context_child(&caller);
    own->trace_parent = caller.span;
    trace_context_write(&own->trace, child);
    call->traceparent = text_copy(call->arena, child);
}

void call_trace_end(const struct call *call)
{
    const struct call_private *own = call->private;
    if (!own->trace.sampled || !own->entry)
        return;
    size_t links = own->batch.span != 0;
    struct span *span =
        span_create(&own->trace, own->entry->name, call->saga ? SPAN_CONSUMER : SPAN_SERVER,
                    clock_monotonic_us() - own->submitted_at_us, links);
    if (!span)
        return;
    span->parent = own->trace_parent;
    span->code = call->status.code;
    span->link_count = links;
    if (links)
        span->links[0] = own->batch;
    span_set_text(span, "rpc.response.status_code", status_code_name(call->status.code));
    if (failed(call->status))
        span_set_text(span, "error.type", reason_word(call->status.reason));
    if (call->saga) {
        span_set_number(span, "baro.saga_id", call->saga->saga_id);
        span_set_text(span, "baro.step", call->saga->step);
    }
    span_end(span);
}

void batch_trace_begin(struct batch_trace *trace, struct worker *worker,
                       const struct method_entry *entry, size_t count)
{
    *trace = (struct batch_trace){.links = worker->links, .name = entry->name, .count = count};
    if (!tracing())
        return;
    for (size_t i = 0; i < count; i++) {
        struct call_private *own = worker->calls[i]->private;
        if (!own->trace.sampled)
            continue;
        if (trace->link_count == 0)
            trace->context = trace_context_begin(true);
        own->batch = trace->context;
        trace->links[trace->link_count++] = own->trace;
    }
    if (trace->link_count == 0)
        return;
    trace->started_us = clock_monotonic_us();
    trace_context_write(&trace->context, trace->traceparent);
}

void batch_trace_end(const struct batch_trace *trace)
{
    if (trace->link_count == 0)
        return;
    char name[SPAN_TEXT_MAX];
    snprintf(name, sizeof(name), "batch %s", trace->name);
    struct span *span = span_create(&trace->context, name, SPAN_INTERNAL,
                                    clock_monotonic_us() - trace->started_us, trace->link_count);
    if (!span)
        return;
    for (; span->link_count < trace->link_count; span->link_count++)
        span->links[span->link_count] = trace->links[span->link_count];
    span_set_number(span, "baro.batch_size", (int64_t)trace->count);
    span_end(span);
}
