#pragma once
// JSON Schemas of messages, as the transcoder reads and writes them. The caller owns what is returned.

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

// What a reply holds: every field is there, more may be added. What a request may hold: no other.
enum direction { IN_REPLY, IN_REQUEST };

// A reference to the schema of a reply, which is added to `schemas` with all that it refers to.
json_t *schema_of_reply(json_t *schemas, const ProtobufCMessageDescriptor *type);

// The schema of a body, without the fields in `taken`.
json_t *schema_of_body(json_t *schemas, const ProtobufCMessageDescriptor *type,
                       const ProtobufCFieldDescriptor *const *taken, size_t taken_count);

// The schema of a path's or query's parameter.
json_t *schema_of_parameter(const ProtobufCFieldDescriptor *field);
