#pragma once
// The query of a request target: "page_size=20&sort=latest" into fields of the RPC's request.

#include "gateway/transcode.h"

// Sets the field of each parameter. Unknown, repeated, malformed parameters (bad percent escapes, no
// UTF-8, NUL) and those in `taken` are added to errors. `query` may be NULL.
void query_read(const char *query, const ProtobufCFieldDescriptor *const *taken, size_t taken_count,
                ProtobufCMessage *message, struct field_errors *errors);
