#pragma once
// OTLP's JSON of spans (opentelemetry-proto, ExportTraceServiceRequest).

#include "lib/base/text.h"
#include "lib/trace/span.h"

// Appends the request with the spans of the list.
void otlp_write(const char *process, const char *instance, const struct span *spans,
                struct text_buffer *out);
