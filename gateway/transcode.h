#pragma once
// JSON <-> protobuf, driven by the descriptors: no message has code of its own.
//
// In: unknown, duplicate, mistyped, missing and out-of-range fields are named, in the words of the
// client's JSON ("items[1].quantity"). Out: straight into a text buffer; every field is present always.
// Types with a JSON of their own (proto/common.proto) are one table in each direction:
// Timestamp <-> RFC 3339, Int64, Text, Bool <-> value or null, Decimal <-> number. An enum is its
// word without the prefix: ORDER_STATUS_PENDING <-> "PENDING"; unspecified is written as "".

#include "lib/base/arena.h"
#include "lib/base/status.h"
#include "lib/base/text.h"

#include <protobuf-c/protobuf-c.h>

enum { FIELD_ERRORS_MAX = 16, JSON_DEPTH_MAX = 8 };

struct field_error {
    const char *field;
    const char *message;
};

// What is wrong with a request; beyond FIELD_ERRORS_MAX nothing is added.
struct field_errors {
    struct arena *arena; // of the texts that are made
    struct field_error items[FIELD_ERRORS_MAX];
    size_t count;
};

// Both texts are borrowed.
void field_errors_add(struct field_errors *errors, const char *field, const char *message);

// An empty message in the arena.
ProtobufCMessage *message_create(const ProtobufCMessageDescriptor *type, struct arena *arena);

bool fields_include(const ProtobufCFieldDescriptor *const *fields, size_t count,
                    const ProtobufCFieldDescriptor *field);

// Sets the fields of `message` from a JSON object. Fields listed in `taken` (count of them) are set
// by others (path, headers): a body that has one is refused like an unknown field.
void transcode_body(const char *json, size_t length, const ProtobufCFieldDescriptor *const *taken,
                    size_t taken_count, ProtobufCMessage *message, struct field_errors *errors);

// Whether an object of that type without the field is refused. Any other field may be left out: it is
// 0, "", [] or null then.
bool transcode_requires(const ProtobufCMessageDescriptor *type, const char *field);

// Sets one field from text, as it stands in a path or a query ("42", "true", "PENDING", a time).
void transcode_text(const ProtobufCFieldDescriptor *field, const char *text,
                    ProtobufCMessage *message, struct field_errors *errors);

// True for the message types that are one JSON value, not an object.
bool transcode_has_own_json(const ProtobufCMessageDescriptor *type);

// Appends the message as JSON.
void transcode_write(const ProtobufCMessage *message, struct text_buffer *out);

// FAILED_PRECONDITION names a field, at any depth, whose type has no JSON here.
struct status transcode_supports(const ProtobufCMessageDescriptor *type);

// Length of the prefix that all words of an enum share: "ORDER_STATUS_".
size_t enum_prefix_length(const ProtobufCEnumDescriptor *type);
