#pragma once
// Spans: what took how long, and for whom. Whoever has ended one gives it away; a thread of its own
// (exporter.c) brings them to a collector, so nobody in the path of an order ever waits for one.
//
// Off, which is the default, nothing of this costs more than the question whether it is on.

#include "lib/base/status.h"
#include "lib/trace/context.h"

#include <stddef.h>

// The numbers of OTLP.
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CONSUMER = 5 };

enum { SPAN_ATTRIBUTES_MAX = 4, SPAN_TEXT_MAX = 80 };

// A text, or a number when the text is empty.
struct span_attribute {
    const char *key; // lives as long as the process
    char text[SPAN_TEXT_MAX];
    int64_t number;
};

struct span {
    struct trace_context context;
    uint64_t parent; // 0: the first of its trace
    char name[SPAN_TEXT_MAX];
    enum span_kind kind;
    int64_t started_us, took_us; // wall clock; monotonic
    enum status_code code;       // a fault of ours makes the span one of an error
    struct span_attribute attributes[SPAN_ATTRIBUTES_MAX];
    size_t attribute_count;
    struct span *next; // in the exporter's queue
    size_t link_count;
    struct trace_context links[]; // other traces that have a part in it
};

// True when spans go somewhere.
bool tracing(void);

// A span that began `took_us` ago and ends now, with room for links; NULL when the queue is full, which
// is counted. Texts that are too long are cut.
struct span *span_create(const struct trace_context *context, const char *name, enum span_kind kind,
                         int64_t took_us, size_t links);
void span_set_text(struct span *span, const char *key, const char *text);
void span_set_number(struct span *span, const char *key, int64_t number);

// Gives it to the exporter. Never blocks for long, and never for the collector. Accepts NULL.
void span_end(struct span *span);

struct exporter_options {
    const char *url; // of the collector, "http://127.0.0.1:4318"; "": nowhere, tracing stays off
    const char *process;  // "baro-order"
    const char *instance; // name of this replica
    size_t queue_max;     // spans that wait; default 8,192
};

// Starts to send, in OTLP's JSON over HTTP, to URL/v1/traces. INVALID_ARGUMENT for a URL that is none.
// Call before other threads start; the options' texts are borrowed.
struct status exporter_start(const struct exporter_options *options);

// Sends what waits, for at most a second or two, and ends.
void exporter_stop(void);
