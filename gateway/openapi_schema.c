// One row of a table for each JSON that a field can have; messages are walked, and each that is met
// gets one schema, "OrderView" in replies and "OrderViewInput" in requests.
//
// Invariant: this says what values.c and transcode_write.c do. The end-to-end tests check every
// answer that they get against it.

#include "gateway/openapi_schema.h"

#include "gateway/comments.h"
#include "gateway/transcode.h"
#include "lib/base/macros.h"
#include "proto/common.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    ProtobufCType type;
    const char *schema;
} plain[] = {
    {PROTOBUF_C_TYPE_INT64,  "{\"type\": \"integer\", \"format\": \"int64\"}"},
    {PROTOBUF_C_TYPE_INT32,  "{\"type\": \"integer\", \"format\": \"int32\"}"},
    {PROTOBUF_C_TYPE_BOOL,   "{\"type\": \"boolean\"}"                       },
    {PROTOBUF_C_TYPE_STRING, "{\"type\": \"string\"}"                        },
};

#define TIME_IN "\"anyOf\": [{\"format\": \"date-time\"}, {\"format\": \"date\"}]"
#define DECIMAL_TEXT "\"pattern\": \"^-?[0-9]{1,15}([.][0-9]{1,2})?$\""

// Types with a JSON of their own, as a reply has them, a body, and a parameter.
static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *reply, *body, *parameter;
} own_json[] = {
    {&baro__timestamp__descriptor, "{\"type\": [\"string\", \"null\"], \"format\": \"date-time\"}",
     "{\"type\": [\"string\", \"null\"], " TIME_IN "}",                  "{\"type\": \"string\", " TIME_IN "}"           },
    {&baro__int64__descriptor,     "{\"type\": [\"integer\", \"null\"], \"format\": \"int64\"}",
     "{\"type\": [\"integer\", \"null\"], \"format\": \"int64\"}",       "{\"type\": \"integer\", \"format\": \"int64\"}"},
    {&baro__text__descriptor,      "{\"type\": [\"string\", \"null\"]}",
     "{\"type\": [\"string\", \"null\"]}",                               "{\"type\": \"string\"}"                        },
    {&baro__bool__descriptor,      "{\"type\": [\"boolean\", \"null\"]}",
     "{\"type\": [\"boolean\", \"null\"]}",                              "{\"type\": \"boolean\"}"                       },
    {&baro__decimal__descriptor,   "{\"type\": [\"number\", \"null\"]}",
     "{\"type\": [\"number\", \"string\", \"null\"], " DECIMAL_TEXT "}", "{\"type\": \"number\"}"                        },
};

static json_t *parsed(const char *schema)
{
    json_t *json = json_loads(schema, 0, NULL);
    assert(json);
    return json;
}

// Replies have "" for a word that is not set, or that this build does not know.
static json_t *enum_schema(const ProtobufCEnumDescriptor *type, enum direction direction)
{
    json_t *words = json_array();
    for (unsigned i = 0; i < type->n_values; i++)
        if (type->values[i].value != 0)
            json_array_append_new(words,
                                  json_string(type->values[i].name + enum_prefix_length(type)));
    if (direction == IN_REPLY)
        json_array_append_new(words, json_string(""));
    return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static json_t *message_schema(json_t *schemas, const ProtobufCMessageDescriptor *type,
                              enum direction direction,
                              const ProtobufCFieldDescriptor *const *taken, size_t taken_count);

// The name comes first into `schemas`, so that what refers to itself ends the walk.
static json_t *reference(json_t *schemas, const ProtobufCMessageDescriptor *type,
                         enum direction direction)
{
    char name[128], ref[192];
    snprintf(name, sizeof(name), "%s%s", type->short_name, direction == IN_REQUEST ? "Input" : "");
    snprintf(ref, sizeof(ref), "#/components/schemas/%s", name);
    if (!json_object_get(schemas, name)) {
        json_object_set_new(schemas, name, json_null());
        json_object_set_new(schemas, name, message_schema(schemas, type, direction, NULL, 0));
    }
    return json_pack("{s:s}", "$ref", ref);
}

static json_t *submessage_schema(json_t *schemas, const ProtobufCMessageDescriptor *type,
                                 enum direction direction)
{
    for (size_t i = 0; i < COUNT(own_json); i++)
        if (own_json[i].type == type)
            return parsed(direction == IN_REPLY ? own_json[i].reply : own_json[i].body);
    return reference(schemas, type, direction);
}

static json_t *plain_schema(ProtobufCType type)
{
    for (size_t i = 0; i < COUNT(plain); i++)
        if (plain[i].type == type)
            return parsed(plain[i].schema);
    assert(false && "transcode_supports refuses every other type");
    return NULL;
}

static json_t *value_schema(json_t *schemas, const ProtobufCFieldDescriptor *field,
                            enum direction direction)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return submessage_schema(schemas, field->descriptor, direction);
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return enum_schema(field->descriptor, direction);
    return plain_schema(field->type);
}

static json_t *field_schema(json_t *schemas, const ProtobufCMessageDescriptor *type,
                            const ProtobufCFieldDescriptor *field, enum direction direction)
{
    json_t *schema = value_schema(schemas, field, direction);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
    const char *comment = comment_of(type->name, field->name);
    if (*comment)
        json_object_set_new(schema, "description", json_string(comment));
    return schema;
}

static json_t *message_schema(json_t *schemas, const ProtobufCMessageDescriptor *type,
                              enum direction direction,
                              const ProtobufCFieldDescriptor *const *taken, size_t taken_count)
{
    json_t *properties = json_object(), *required = json_array();
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (fields_include(taken, taken_count, field))
            continue;
        json_object_set_new(properties, field->name, field_schema(schemas, type, field, direction));
        if (direction == IN_REPLY || transcode_requires(type, field->name))
            json_array_append_new(required, json_string(field->name));
    }
    json_t *schema = json_pack("{s:s, s:o}", "type", "object", "properties", properties);
    if (json_array_size(required) > 0)
        json_object_set(schema, "required", required);
    if (direction == IN_REQUEST)
        json_object_set_new(schema, "additionalProperties", json_false());
    json_decref(required);
    const char *comment = comment_of(type->name, NULL);
    if (*comment)
        json_object_set_new(schema, "description", json_string(comment));
    return schema;
}

json_t *schema_of_reply(json_t *schemas, const ProtobufCMessageDescriptor *type)
{
    return reference(schemas, type, IN_REPLY);
}

json_t *schema_of_body(json_t *schemas, const ProtobufCMessageDescriptor *type,
                       const ProtobufCFieldDescriptor *const *taken, size_t taken_count)
{
    return message_schema(schemas, type, IN_REQUEST, taken, taken_count);
}

json_t *schema_of_parameter(const ProtobufCFieldDescriptor *field)
{
    if (strcmp(field->name, "page_size") == 0)
        return parsed("{\"type\": \"integer\", \"minimum\": 1, \"maximum\": 100, \"default\": 20}");
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return enum_schema(field->descriptor, IN_REQUEST);
    for (size_t i = 0; field->type == PROTOBUF_C_TYPE_MESSAGE && i < COUNT(own_json); i++)
        if (own_json[i].type == field->descriptor)
            return parsed(own_json[i].parameter);
    return plain_schema(field->type);
}
