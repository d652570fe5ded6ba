// 64-bit integers are texts in OTLP's JSON, ids are hexadecimal.

#include "lib/trace/otlp.h"

#include "lib/base/clock.h"
#include "lib/base/version.h"

#include <string.h>

enum { STATUS_ERROR = 2 };

static void write_text(struct text_buffer *out, const char *before, const char *text)
{
    text_append(out, before);
    text_append_json(out, text, strlen(text));
}

static void write_attribute(struct text_buffer *out, const char *key, const char *text,
                            int64_t number)
{
    write_text(out, "{\"key\":", key);
    if (*text)
        write_text(out, ",\"value\":{\"stringValue\":", text);
    else
        text_appendf(out, ",\"value\":{\"intValue\":\"%lld\"", (long long)number);
    text_append(out, "}}");
}

static void write_ids(struct text_buffer *out, const struct trace_context *context)
{
    char trace[33], span[17];
    trace_id_write(context, trace);
    span_id_write(context->span, span);
    text_appendf(out, "\"traceId\":\"%s\",\"spanId\":\"%s\"", trace, span);
}

static void write_attributes(struct text_buffer *out, const struct span *span)
{
    text_append(out, ",\"attributes\":[");
    for (size_t i = 0; i < span->attribute_count; i++) {
        const struct span_attribute *attribute = &span->attributes[i];
        text_append(out, i ? "," : "");
        write_attribute(out, attribute->key, attribute->text, attribute->number);
    }
    text_append_char(out, ']');
}

static void write_links(struct text_buffer *out, const struct span *span)
{
    text_append(out, ",\"links\":[");
    for (size_t i = 0; i < span->link_count; i++) {
        text_append(out, i ? ",{" : "{");
        write_ids(out, &span->links[i]);
        text_append_char(out, '}');
    }
    text_append_char(out, ']');
}

// What the shop refuses is an answer; a fault is an error.
static bool is_fault(enum status_code code)
{
    return code == STATUS_UNKNOWN || code == STATUS_INTERNAL || code == STATUS_UNAVAILABLE ||
           code == STATUS_DEADLINE_EXCEEDED || code == STATUS_DATA_LOSS;
}

static void write_span(struct text_buffer *out, const struct span *span)
{
    text_append_char(out, '{');
    write_ids(out, &span->context);
    if (span->parent) {
        char parent[17];
        span_id_write(span->parent, parent);
        text_appendf(out, ",\"parentSpanId\":\"%s\"", parent);
    }
    int64_t ended_us = span->started_us + span->took_us;
    write_text(out, ",\"name\":", span->name);
    text_appendf(out,
                 ",\"kind\":%d,\"startTimeUnixNano\":\"%lld000\",\"endTimeUnixNano\":\"%lld000\"",
                 (int)span->kind, (long long)span->started_us, (long long)ended_us);
    write_attributes(out, span);
    write_links(out, span);
    if (is_fault(span->code))
        text_appendf(out, ",\"status\":{\"code\":%d,\"message\":\"%s\"}", (int)STATUS_ERROR,
                     status_code_name(span->code));
    text_append_char(out, '}');
}

void otlp_write(const char *process, const char *instance, const struct span *spans,
                struct text_buffer *out)
{
    text_append(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    write_attribute(out, "service.name", process, 0);
    text_append_char(out, ',');
    write_attribute(out, "service.instance.id", instance, 0);
    text_append_char(out, ',');
    write_attribute(out, "service.version", BARO_VERSION, 0);
    text_append(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"baro\"},\"spans\":[");
    for (const struct span *span = spans; span; span = span->next) {
        write_span(out, span);
        text_append(out, span->next ? "," : "");
    }
    text_append(out, "]}]}]}");
}
