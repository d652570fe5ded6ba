// Percent-decoding is strict, and done once: what is decoded is data and never looked at as syntax.

#include "gateway/query.h"

#include <string.h>

enum { QUERY_FIELDS_MAX = 32 };

struct query_reading {
    const ProtobufCFieldDescriptor *seen[QUERY_FIELDS_MAX]; // begins with those that others set
    size_t seen_count;
    ProtobufCMessage *message;
    struct field_errors *errors;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// NULL for a bad escape, for what is not UTF-8, and for NUL.
static char *decode(struct arena *arena, const char *text, size_t length)
{
    char *out = arena_alloc(arena, length + 1);
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            out[size++] = text[i] == '+' ? ' ' : text[i];
            continue;
        }
        int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0)
            return NULL;
        out[size++] = (char)(high * 16 + low);
        i += 2;
    }
    return text_is_utf8(out, size) ? out : NULL;
}

static bool mark_seen(struct query_reading *reading, const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < reading->seen_count; i++)
        if (reading->seen[i] == field)
            return false;
    if (reading->seen_count == QUERY_FIELDS_MAX)
        return false;
    reading->seen[reading->seen_count++] = field;
    return true;
}

static void read_parameter(struct query_reading *reading, size_t taken, const char *name,
                           const char *value)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(reading->message->descriptor, name);
    bool own_json = field && field->type == PROTOBUF_C_TYPE_MESSAGE;
    bool plain = field && field->label != PROTOBUF_C_LABEL_REPEATED;
    for (size_t i = 0; plain && i < taken; i++)
        plain = reading->seen[i] != field;
    if (!plain || (own_json && !transcode_has_own_json(field->descriptor)))
        field_errors_add(reading->errors, name, "is not a parameter of this request");
    else if (!mark_seen(reading, field))
        field_errors_add(reading->errors, name, "appears more than once");
    else
        transcode_text(field, value, reading->message, reading->errors);
}

void query_read(const char *query, const ProtobufCFieldDescriptor *const *taken, size_t taken_count,
                ProtobufCMessage *message, struct field_errors *errors)
{
    struct query_reading reading = {.message = message, .errors = errors};
    for (size_t i = 0; i < taken_count; i++)
        mark_seen(&reading, taken[i]);
    for (const char *at = query; at && *at;) {
        size_t length = strcspn(at, "&");
        size_t name_length = strcspn(at, "&=");
        size_t skip = name_length < length ? name_length + 1 : name_length;
        char *name = decode(errors->arena, at, name_length);
        char *value = decode(errors->arena, at + skip, length - skip);
        if (!name || !value)
            field_errors_add(errors, name ? name : "", "is not well-formed");
        else if (length > 0)
            read_parameter(&reading, taken_count, name, value);
        at += length + (at[length] == '&');
    }
}
