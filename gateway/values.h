#pragma once
// Readers of single values, for transcode.c.

#include "lib/base/arena.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

// A value of either origin: JSON, or plain text of a path or query.
struct value {
    const json_t *json;
    const char *text; // when json is NULL
};

// Reads a value into a slot of the field's type; a type with a JSON of its own is read into the message
// that the caller has made. False: *wrong says what is wrong, in words for clients.
typedef bool read_value(struct arena *arena, const ProtobufCFieldDescriptor *field,
                        struct value value, void *slot, const char **wrong);

// The reader of a field's values (one by one, for a repeated field); NULL for a message that is an
// object, and for types that have no JSON here.
read_value *value_reader(const ProtobufCFieldDescriptor *field);

// The reader of a message type with a JSON of its own, or NULL.
read_value *message_reader(const ProtobufCMessageDescriptor *type);

// Bytes of one value in its message.
size_t value_size(const ProtobufCFieldDescriptor *field);
