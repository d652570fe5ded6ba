// One value into one slot: the reader of a type is a row of a table, found by the field's type, or by
// its message type for those with a JSON of their own. The value comes from JSON, or as plain text
// from a path or query; what is wrong with it is said in words for clients.

#include "gateway/values.h"

#include "gateway/transcode.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "proto/common.pb-c.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

// The integer of a value. Fractions and exponents are no integers, whatever their worth.
static bool to_int64(struct value value, int64_t min, int64_t max, int64_t *number,
                     const char **wrong)
{
    int64_t found;
    if (value.json && !json_is_integer(value.json)) {
        *wrong = "must be an integer";
        return false;
    }
    if (value.json)
        found = json_integer_value(value.json);
    else if (!text_parse_int64(value.text, INT64_MIN, INT64_MAX, &found)) {
        *wrong = "must be an integer of at most 63 bits";
        return false;
    }
    if (found < min || found > max) {
        *wrong = "is out of range";
        return false;
    }
    *number = found;
    return true;
}

static const char *to_text(struct value value)
{
    return value.json ? json_string_value(value.json) : value.text;
}

static bool read_int64(struct arena *arena, const ProtobufCFieldDescriptor *field,
                       struct value value, void *slot, const char **wrong)
{
    (void)arena, (void)field;
    return to_int64(value, INT64_MIN, INT64_MAX, slot, wrong);
}

static bool read_int32(struct arena *arena, const ProtobufCFieldDescriptor *field,
                       struct value value, void *slot, const char **wrong)
{
    (void)arena, (void)field;
    int64_t number;
    if (!to_int64(value, INT32_MIN, INT32_MAX, &number, wrong))
        return false;
    *(int32_t *)slot = (int32_t)number;
    return true;
}

static bool read_bool(struct arena *arena, const ProtobufCFieldDescriptor *field,
                      struct value value, void *slot, const char **wrong)
{
    (void)arena, (void)field;
    bool truth = value.json ? json_is_true(value.json) : strcmp(value.text, "true") == 0;
    bool lie = value.json ? json_is_false(value.json) : strcmp(value.text, "false") == 0;
    *wrong = "must be true or false";
    *(protobuf_c_boolean *)slot = truth;
    return truth || lie;
}

static bool read_string(struct arena *arena, const ProtobufCFieldDescriptor *field,
                        struct value value, void *slot, const char **wrong)
{
    (void)field;
    const char *text = to_text(value);
    *wrong = "must be a string";
    if (!text)
        return false;
    *(char **)slot = text_copy(arena, text);
    return true;
}

size_t enum_prefix_length(const ProtobufCEnumDescriptor *type)
{
    const char *zero = type->values[0].name;
    const char *last = strstr(zero, "UNSPECIFIED");
    return last ? (size_t)(last - zero) : 0;
}

static const char *list_words(struct arena *arena, const ProtobufCEnumDescriptor *type)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 128);
    text_append(&out, "must be one of");
    for (unsigned i = 0; i < type->n_values; i++)
        if (type->values[i].value != 0)
            text_appendf(&out, "%s %s", out.data[out.length - 1] == 'f' ? "" : ",",
                         type->values[i].name + enum_prefix_length(type));
    return out.data;
}

static bool read_enum(struct arena *arena, const ProtobufCFieldDescriptor *field,
                      struct value value, void *slot, const char **wrong)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    const char *word = to_text(value);
    for (unsigned i = 0; word && i < type->n_values; i++)
        if (type->values[i].value != 0 &&
            strcmp(type->values[i].name + enum_prefix_length(type), word) == 0) {
            *(int32_t *)slot = type->values[i].value;
            return true;
        }
    *wrong = list_words(arena, type);
    return false;
}

static bool read_timestamp(struct arena *arena, const ProtobufCFieldDescriptor *field,
                           struct value value, void *slot, const char **wrong)
{
    (void)arena, (void)field;
    Baro__Timestamp *time = slot;
    const char *text = to_text(value);
    *wrong = "must be a time such as 2026-01-31T09:00:00Z";
    return text && text_parse_time(text, &time->us);
}

static bool read_optional_int64(struct arena *arena, const ProtobufCFieldDescriptor *field,
                                struct value value, void *slot, const char **wrong)
{
    return read_int64(arena, field, value, &((Baro__Int64 *)slot)->value, wrong);
}

static bool read_optional_text(struct arena *arena, const ProtobufCFieldDescriptor *field,
                               struct value value, void *slot, const char **wrong)
{
    return read_string(arena, field, value, &((Baro__Text *)slot)->value, wrong);
}

static bool read_optional_bool(struct arena *arena, const ProtobufCFieldDescriptor *field,
                               struct value value, void *slot, const char **wrong)
{
    return read_bool(arena, field, value, &((Baro__Bool *)slot)->value, wrong);
}

// "12", "12.5", "-0.25": digits with at most two places.
static bool parse_hundredths(const char *text, int64_t *hundredths)
{
    static const char digits[] = "0123456789";
    bool negative = *text == '-';
    const char *whole = text + negative;
    size_t whole_length = strspn(whole, digits);
    const char *point = whole + whole_length;
    size_t places = *point == '.' ? strspn(point + 1, digits) : 0;
    const char *end = point + (*point == '.') + places;
    bool bare_point = *point == '.' && places == 0;
    if (whole_length < 1 || whole_length > 15 || places > 2 || bare_point || *end != '\0')
        return false;
    int64_t sum = 0;
    for (const char *at = whole; at < end; at++)
        sum = *at == '.' ? sum : sum * 10 + (*at - '0');
    for (size_t i = places; i < 2; i++)
        sum *= 10;
    *hundredths = negative ? -sum : sum;
    return true;
}

// A real has at most two places when it is the double nearest to such a decimal.
static bool real_to_hundredths(double real, int64_t *hundredths)
{
    if (!(fabs(real) < 1e13))
        return false;
    *hundredths = llround(real * 100);
    return (double)*hundredths / 100 == real;
}

static bool read_decimal(struct arena *arena, const ProtobufCFieldDescriptor *field,
                         struct value value, void *slot, const char **wrong)
{
    (void)arena, (void)field;
    int64_t *hundredths = &((Baro__Decimal *)slot)->hundredths;
    *wrong = "must be a number with at most two decimals";
    json_type type = value.json ? json_typeof(value.json) : JSON_STRING;
    if (type == JSON_INTEGER)
        return !__builtin_mul_overflow(json_integer_value(value.json), 100, hundredths);
    if (type == JSON_REAL)
        return real_to_hundredths(json_real_value(value.json), hundredths);
    const char *text = to_text(value);
    return text && parse_hundredths(text, hundredths);
}

static const struct {
    ProtobufCType type;
    read_value *read;
    size_t size;
} readers[] = {
    {PROTOBUF_C_TYPE_INT64,  read_int64,  sizeof(int64_t)           },
    {PROTOBUF_C_TYPE_INT32,  read_int32,  sizeof(int32_t)           },
    {PROTOBUF_C_TYPE_BOOL,   read_bool,   sizeof(protobuf_c_boolean)},
    {PROTOBUF_C_TYPE_STRING, read_string, sizeof(char *)            },
    {PROTOBUF_C_TYPE_ENUM,   read_enum,   sizeof(int32_t)           },
};

static const struct {
    const ProtobufCMessageDescriptor *type;
    read_value *read; // into the message that the caller has made
} own_json[] = {
    {&baro__timestamp__descriptor, read_timestamp     },
    {&baro__int64__descriptor,     read_optional_int64},
    {&baro__text__descriptor,      read_optional_text },
    {&baro__bool__descriptor,      read_optional_bool },
    {&baro__decimal__descriptor,   read_decimal       },
};

read_value *value_reader(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return message_reader(field->descriptor);
    for (size_t i = 0; i < COUNT(readers); i++)
        if (readers[i].type == field->type)
            return readers[i].read;
    return NULL;
}

read_value *message_reader(const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < COUNT(own_json); i++)
        if (own_json[i].type == type)
            return own_json[i].read;
    return NULL;
}

size_t value_size(const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < COUNT(readers); i++)
        if (readers[i].type == field->type)
            return readers[i].size;
    return sizeof(ProtobufCMessage *);
}
