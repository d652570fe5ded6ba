#include "gateway/trace.h"

#include "gateway/request.h"

#include <stdio.h>
#include <string.h>

static bool is_request_id(const char *text)
{
    size_t good =
        strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._:-");
    return good >= 1 && good <= 128 && text[good] == '\0';
}

// The low half of a trace's id is as good as random.
static bool is_chosen(const struct trace_context *context, int64_t share)
{
    return tracing() && context->trace[1] % 100 < (uint64_t)share;
}

void trace_begin(struct trace *trace, const char *traceparent, const char *request_id,
                 int64_t share)
{
    struct trace_context caller = {.span = 0};
    if (traceparent && trace_context_parse(traceparent, &caller)) {
        trace->context = trace_context_child(&caller);
    } else {
        trace->context = trace_context_begin(false);
        trace->context.sampled = is_chosen(&trace->context, share);
    }
    trace->caller = caller.span;
    trace_context_write(&trace->context, trace->parent);
    trace_id_write(&trace->context, trace->id);
    trace->request_id = request_id && is_request_id(request_id) ? request_id : trace->id;
}

static enum status_code code_of(unsigned int http_status)
{
    return http_status < 500 ? STATUS_OK : STATUS_INTERNAL;
}

void trace_end(const struct request *request, int64_t took_us)
{
    const struct trace *trace = &request->trace;
    const struct endpoint *endpoint = request->match.endpoint;
    if (!trace->context.sampled || !endpoint || !tracing())
        return;
    char name[SPAN_TEXT_MAX];
    const char *word = http_method_word(endpoint->route->method);
    snprintf(name, sizeof(name), "%s %s", word, endpoint->route->path);
    struct span *span = span_create(&trace->context, name, SPAN_SERVER, took_us, 0);
    if (!span)
        return;
    span->parent = trace->caller;
    span->code = code_of(request->answer.status);
    span_set_text(span, "http.request.method", word);
    span_set_text(span, "http.route", endpoint->route->path);
    span_set_text(span, "url.path",
                  text_copy_n(request->arena, request->path, request->path_length));
    span_set_number(span, "http.response.status_code", request->answer.status);
    span_end(span);
}
