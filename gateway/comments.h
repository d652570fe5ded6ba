#pragma once
// The comments of the .proto files, for the API's description.

#include <stddef.h>

struct comment {
    const char *name; // "baro.order.Order", "baro.order.Order.PayOrder", "baro.order.OrderView.id"
    const char *text; // in one line
};

// Made at build time by gateway/tools/comments.c, in the order of the names.
extern const struct comment comments[];
extern const size_t comment_count;

// The comment of a message, field, enum, value, service or method, or "". `member` may be NULL.
const char *comment_of(const char *type, const char *member);
