#pragma once
// Errors for clients: which HTTP status a reason gets, and the problem document (RFC 9457).

#include "gateway/sentences.h"
#include "gateway/transcode.h"

#include <stdbool.h>

struct problem_kind {
    unsigned int http_status; // 0: this reason has no row
    int64_t retry_after_s;    // what Retry-After says unless the service knows better; 0: none
    const char *title;        // in English; its row in sentences.c has the others
};

// The row of a reason. Every reason but REASON_NONE has one.
const struct problem_kind *problem_kind(enum reason reason);

// The reason that a failed status is shown as: its own, or the one that its code stands for.
enum reason problem_reason(struct status st);

// One problem, ready to be written.
struct problem {
    struct status status;
    const struct field_errors *errors; // or NULL: taken from status.field
    const char *instance;              // the path of the request
    const char *trace_id;
    enum language language; // of title, detail and errors[].message
};

// Appends the problem as JSON.
void problem_write(const struct problem *problem, struct text_buffer *out);

// Appends every kind of problem, for GET /api/v1/problems.
void problem_write_kinds(enum language language, struct text_buffer *out);
