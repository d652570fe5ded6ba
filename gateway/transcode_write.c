// Protobuf messages as JSON, straight into a text buffer: one pass over the descriptor, no tree.
//
// Every field is written always: what is absent is null, an empty list is [], an enum that this
// build does not know (or unspecified) is "".

#include "gateway/transcode.h"

#include "proto/common.pb-c.h"

#include <string.h>

typedef void write_message(const ProtobufCMessage *message, struct text_buffer *out);

static void write_text(const char *text, struct text_buffer *out)
{
    const char *known = text ? text : "";
    text_append_json(out, known, strlen(known));
}

static void write_timestamp(const ProtobufCMessage *message, struct text_buffer *out)
{
    text_append_char(out, '"');
    text_append(out, text_from_time(out->arena, ((const Baro__Timestamp *)message)->us));
    text_append_char(out, '"');
}

static void write_optional_int64(const ProtobufCMessage *message, struct text_buffer *out)
{
    text_append_int64(out, ((const Baro__Int64 *)message)->value);
}

static void write_optional_text(const ProtobufCMessage *message, struct text_buffer *out)
{
    write_text(((const Baro__Text *)message)->value, out);
}

static void write_optional_bool(const ProtobufCMessage *message, struct text_buffer *out)
{
    text_append(out, ((const Baro__Bool *)message)->value ? "true" : "false");
}

// 1000 -> 10, 1250 -> 12.5, -5 -> -0.05
static void write_decimal(const ProtobufCMessage *message, struct text_buffer *out)
{
    int64_t hundredths = ((const Baro__Decimal *)message)->hundredths;
    uint64_t size = hundredths < 0 ? 0 - (uint64_t)hundredths : (uint64_t)hundredths;
    unsigned places = (unsigned)(size % 100);
    text_append(out, hundredths < 0 ? "-" : "");
    text_append_int64(out, (int64_t)(size / 100));
    if (places % 10)
        text_appendf(out, ".%02u", places);
    else if (places)
        text_appendf(out, ".%u", places / 10);
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    write_message *write;
} own_json[] = {
    {&baro__timestamp__descriptor, write_timestamp     },
    {&baro__int64__descriptor,     write_optional_int64},
    {&baro__text__descriptor,      write_optional_text },
    {&baro__bool__descriptor,      write_optional_bool },
    {&baro__decimal__descriptor,   write_decimal       },
};

static void write_enum(const ProtobufCEnumDescriptor *type, int value, struct text_buffer *out)
{
    const ProtobufCEnumValue *known =
        value == 0 ? NULL : protobuf_c_enum_descriptor_get_value(type, value);
    write_text(known ? known->name + enum_prefix_length(type) : "", out);
}

static void write_submessage(const ProtobufCMessage *message, struct text_buffer *out)
{
    if (!message) {
        text_append(out, "null");
        return;
    }
    for (size_t i = 0; i < COUNT(own_json); i++)
        if (own_json[i].type == message->descriptor) {
            own_json[i].write(message, out);
            return;
        }
    transcode_write(message, out);
}

// Writes what stands in a slot and returns the slot's size.
static size_t write_slot(const ProtobufCFieldDescriptor *field, const void *slot,
                         struct text_buffer *out)
{
    if (field->type == PROTOBUF_C_TYPE_INT64) {
        text_append_int64(out, *(const int64_t *)slot);
        return sizeof(int64_t);
    }
    if (field->type == PROTOBUF_C_TYPE_INT32) {
        text_append_int64(out, *(const int32_t *)slot);
        return sizeof(int32_t);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        text_append(out, *(const protobuf_c_boolean *)slot ? "true" : "false");
        return sizeof(protobuf_c_boolean);
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        write_enum(field->descriptor, *(const int32_t *)slot, out);
        return sizeof(int32_t);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        write_text(*(const char *const *)slot, out);
        return sizeof(char *);
    }
    write_submessage(*(const ProtobufCMessage *const *)slot, out);
    return sizeof(ProtobufCMessage *);
}

static void write_array(const ProtobufCFieldDescriptor *field, const char *base,
                        struct text_buffer *out)
{
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    const char *slot = *(const char *const *)(base + field->offset);
    text_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_append_char(out, ',');
        slot += write_slot(field, slot, out);
    }
    text_append_char(out, ']');
}

void transcode_write(const ProtobufCMessage *message, struct text_buffer *out)
{
    const char *base = (const char *)message;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    text_append_char(out, '{');
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        text_append(out, i > 0 ? ",\"" : "\"");
        text_append(out, field->name);
        text_append(out, "\":");
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            write_array(field, base, out);
        else
            write_slot(field, base + field->offset, out);
    }
    text_append_char(out, '}');
}
