// JSON and text into protobuf messages.
//
// A value is read into the slot that the descriptor names: the reader of a type is a row of
// `readers`, found by the field's type, or by its message type for those with a JSON of their own.
// The place of a value is a chain on the stack; it becomes text only when something is wrong.
//
// Invariant: every slot is written at most once (jansson refuses duplicate keys), and whatever was
// written before an error is harmless: a message with errors is never sent.

#include "gateway/transcode.h"

#include "gateway/json_scan.h"
#include "proto/common.pb-c.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

struct place {
    const struct place *parent;
    const char *name; // NULL: an element of an array
    size_t index;
};

struct reading {
    struct arena *arena;
    struct field_errors *errors;
};

// A value of either origin: JSON, or plain text of a path or query.
struct value {
    const json_t *json;
    const char *text; // when json is NULL
};

typedef bool read_value(struct reading *reading, const ProtobufCFieldDescriptor *field,
                        struct value value, void *slot, const char **wrong);

static void append_place(struct text_buffer *out, const struct place *place)
{
    if (place->parent)
        append_place(out, place->parent);
    if (!place->name)
        text_appendf(out, "[%zu]", place->index);
    else
        text_appendf(out, "%s%s", place->parent ? "." : "", place->name);
}

void field_errors_add(struct field_errors *errors, const char *field, const char *message)
{
    if (errors->count < FIELD_ERRORS_MAX)
        errors->items[errors->count++] = (struct field_error){field, message};
}

static void add_error(struct reading *reading, const struct place *place, const char *message)
{
    struct text_buffer field;
    text_buffer_init(&field, reading->arena, 64);
    append_place(&field, place);
    field_errors_add(reading->errors, field.data, message);
}

ProtobufCMessage *message_create(const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

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

static bool read_int64(struct reading *reading, const ProtobufCFieldDescriptor *field,
                       struct value value, void *slot, const char **wrong)
{
    (void)reading, (void)field;
    return to_int64(value, INT64_MIN, INT64_MAX, slot, wrong);
}

static bool read_int32(struct reading *reading, const ProtobufCFieldDescriptor *field,
                       struct value value, void *slot, const char **wrong)
{
    (void)reading, (void)field;
    int64_t number;
    if (!to_int64(value, INT32_MIN, INT32_MAX, &number, wrong))
        return false;
    *(int32_t *)slot = (int32_t)number;
    return true;
}

static bool read_bool(struct reading *reading, const ProtobufCFieldDescriptor *field,
                      struct value value, void *slot, const char **wrong)
{
    (void)reading, (void)field;
    bool truth = value.json ? json_is_true(value.json) : strcmp(value.text, "true") == 0;
    bool lie = value.json ? json_is_false(value.json) : strcmp(value.text, "false") == 0;
    *wrong = "must be true or false";
    *(protobuf_c_boolean *)slot = truth;
    return truth || lie;
}

static bool read_string(struct reading *reading, const ProtobufCFieldDescriptor *field,
                        struct value value, void *slot, const char **wrong)
{
    (void)field;
    const char *text = to_text(value);
    *wrong = "must be a string";
    if (!text)
        return false;
    *(char **)slot = text_copy(reading->arena, text);
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

static bool read_enum(struct reading *reading, const ProtobufCFieldDescriptor *field,
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
    *wrong = list_words(reading->arena, type);
    return false;
}

static bool read_timestamp(struct reading *reading, const ProtobufCFieldDescriptor *field,
                           struct value value, void *slot, const char **wrong)
{
    (void)reading, (void)field;
    Baro__Timestamp *time = slot;
    const char *text = to_text(value);
    *wrong = "must be a time such as 2026-01-31T09:00:00Z";
    return text && text_parse_time(text, &time->us);
}

static bool read_optional_int64(struct reading *reading, const ProtobufCFieldDescriptor *field,
                                struct value value, void *slot, const char **wrong)
{
    return read_int64(reading, field, value, &((Baro__Int64 *)slot)->value, wrong);
}

static bool read_optional_text(struct reading *reading, const ProtobufCFieldDescriptor *field,
                               struct value value, void *slot, const char **wrong)
{
    return read_string(reading, field, value, &((Baro__Text *)slot)->value, wrong);
}

static bool read_optional_bool(struct reading *reading, const ProtobufCFieldDescriptor *field,
                               struct value value, void *slot, const char **wrong)
{
    return read_bool(reading, field, value, &((Baro__Bool *)slot)->value, wrong);
}

// "12", "12.5", "-0.25": digits with at most two places.
static bool parse_hundredths(const char *text, int64_t *hundredths)
{
    bool negative = *text == '-';
    const char *digits = text + negative;
    size_t whole = strspn(digits, "0123456789");
    size_t places = digits[whole] == '.' ? strspn(digits + whole + 1, "0123456789") : 0;
    bool dotted = digits[whole] == '.';
    if (whole < 1 || whole > 15 || places > 2 || dotted != (places > 0) ||
        digits[whole + dotted + places] != '\0')
        return false;
    int64_t sum = 0;
    for (size_t i = 0; i < whole + dotted + places; i++)
        sum = digits[i] == '.' ? sum : sum * 10 + (digits[i] - '0');
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

static bool read_decimal(struct reading *reading, const ProtobufCFieldDescriptor *field,
                         struct value value, void *slot, const char **wrong)
{
    (void)reading, (void)field;
    int64_t *hundredths = &((Baro__Decimal *)slot)->hundredths;
    *wrong = "must be a number with at most two decimals";
    if (value.json && json_is_integer(value.json))
        return !__builtin_mul_overflow(json_integer_value(value.json), 100, hundredths);
    if (value.json && json_is_real(value.json))
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

static read_value *reader_of_message(const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < COUNT(own_json); i++)
        if (own_json[i].type == type)
            return own_json[i].read;
    return NULL;
}

bool transcode_has_own_json(const ProtobufCMessageDescriptor *type)
{
    return reader_of_message(type) != NULL;
}

static void read_object(struct reading *reading, const json_t *object, const struct place *place,
                        const ProtobufCFieldDescriptor *const *taken, size_t taken_count,
                        ProtobufCMessage *message);

static void read_message(struct reading *reading, const ProtobufCFieldDescriptor *field,
                         struct value value, ProtobufCMessage **slot, const struct place *place)
{
    ProtobufCMessage *message = message_create(field->descriptor, reading->arena);
    read_value *read = reader_of_message(field->descriptor);
    const char *wrong = "must be an object";
    if (read) {
        if (!read(reading, field, value, message, &wrong))
            add_error(reading, place, wrong);
    } else if (!json_is_object(value.json)) {
        add_error(reading, place, wrong);
    } else {
        read_object(reading, value.json, place, NULL, 0, message);
    }
    *slot = message;
}

// Reads one value, not an array, into its slot.
static void read_slot(struct reading *reading, const ProtobufCFieldDescriptor *field,
                      struct value value, void *slot, const struct place *place)
{
    const char *wrong = "cannot be set here";
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        read_message(reading, field, value, slot, place);
        return;
    }
    for (size_t i = 0; i < COUNT(readers); i++)
        if (readers[i].type == field->type && readers[i].read(reading, field, value, slot, &wrong))
            return;
    add_error(reading, place, wrong);
}

static size_t slot_size(const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < COUNT(readers); i++)
        if (readers[i].type == field->type)
            return readers[i].size;
    return sizeof(ProtobufCMessage *);
}

static void read_array(struct reading *reading, const ProtobufCFieldDescriptor *field,
                       const json_t *array, ProtobufCMessage *message, const struct place *place)
{
    if (!json_is_array(array)) {
        add_error(reading, place, "must be an array");
        return;
    }
    size_t count = json_array_size(array);
    char *slots = arena_array(reading->arena, count, slot_size(field));
    for (size_t i = 0; i < count; i++) {
        struct place element = {.parent = place, .index = i};
        struct value value = {.json = json_array_get(array, i)};
        read_slot(reading, field, value, slots + i * slot_size(field), &element);
    }
    *(size_t *)((char *)message + field->quantifier_offset) = count;
    *(void **)((char *)message + field->offset) = slots;
}

static void read_field(struct reading *reading, const ProtobufCFieldDescriptor *field,
                       const json_t *json, ProtobufCMessage *message, const struct place *place)
{
    bool nullable = field->label != PROTOBUF_C_LABEL_REPEATED &&
                    field->type == PROTOBUF_C_TYPE_MESSAGE && reader_of_message(field->descriptor);
    if (json_is_null(json) && nullable)
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        read_array(reading, field, json, message, place);
    else
        read_slot(reading, field, (struct value){.json = json}, (char *)message + field->offset,
                  place);
}

static bool is_taken(const ProtobufCFieldDescriptor *field,
                     const ProtobufCFieldDescriptor *const *taken, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (taken[i] == field)
            return true;
    return false;
}

static void read_object(struct reading *reading, const json_t *object, const struct place *place,
                        const ProtobufCFieldDescriptor *const *taken, size_t taken_count,
                        ProtobufCMessage *message)
{
    // jansson's iterators want a mutable object, but change nothing.
    json_t *iterable = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(iterable); at; at = json_object_iter_next(iterable, at)) {
        struct place member = {.parent = place, .name = json_object_iter_key(at)};
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, member.name);
        if (!field || is_taken(field, taken, taken_count))
            add_error(reading, &member, "is not a field of this request");
        else
            read_field(reading, field, json_object_iter_value(at), message, &member);
    }
}

// jansson's codes in words for clients.
static const char *describe_syntax(const json_error_t *error)
{
    static const struct {
        enum json_error_code code;
        const char *message;
    } words[] = {
        {json_error_duplicate_key,          "appears more than once"                  },
        {json_error_numeric_overflow,       "is out of range"                         },
        {json_error_invalid_utf8,           "is not well-formed UTF-8"                },
        {json_error_null_character,         "must not hold the character U+0000"      },
        {json_error_null_byte_in_key,       "must not hold the character U+0000"      },
        {json_error_premature_end_of_input, "ends too early: this is not a whole JSON"},
        {json_error_end_of_input_expected,  "something follows the JSON object"       },
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].code == json_error_code(error))
            return words[i].message;
    return "is not well-formed JSON";
}

static json_t *parse(const char *json, size_t length, struct field_errors *errors)
{
    struct json_place place;
    json_error_t error;
    if (!json_scan(json, length, &place)) {
        field_errors_add(errors, json_place_text(&place, errors->arena),
                         "is nested more than 8 levels deep");
        return NULL;
    }
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!root) {
        size_t position = error.position > 0 ? (size_t)error.position : 0;
        json_scan(json, position < length ? position : length, &place);
        field_errors_add(errors, json_place_text(&place, errors->arena), describe_syntax(&error));
    }
    return root;
}

void transcode_body(const char *json, size_t length, const ProtobufCFieldDescriptor *const *taken,
                    size_t taken_count, ProtobufCMessage *message, struct field_errors *errors)
{
    json_t *root = parse(json, length, errors);
    if (!root)
        return;
    struct reading reading = {.arena = errors->arena, .errors = errors};
    if (json_is_object(root))
        read_object(&reading, root, NULL, taken, taken_count, message);
    else
        field_errors_add(errors, "", "the body must be a JSON object");
    json_decref(root);
}

void transcode_text(const ProtobufCFieldDescriptor *field, const char *text,
                    ProtobufCMessage *message, struct field_errors *errors)
{
    struct reading reading = {.arena = errors->arena, .errors = errors};
    struct place place = {.name = field->name};
    read_slot(&reading, field, (struct value){.text = text}, (char *)message + field->offset,
              &place);
}

struct status transcode_supports(const ProtobufCMessageDescriptor *type)
{
    if (reader_of_message(type))
        return OK;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool known = field->type == PROTOBUF_C_TYPE_MESSAGE;
        for (size_t k = 0; k < COUNT(readers); k++)
            known = known || readers[k].type == field->type;
        struct status st = OK;
        if (!known)
            st = (struct status){STATUS_FAILED_PRECONDITION, REASON_INTERNAL, field->name,
                                 "this field's type has no JSON"};
        else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
            st = transcode_supports(field->descriptor);
        if (failed(st))
            return st;
    }
    return OK;
}
