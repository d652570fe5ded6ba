// JSON and text into protobuf messages.
//
// Each value is read into the slot that the descriptor names (values.c). The place of a value is a
// chain on the stack; it becomes text only when something is wrong.
//
// Invariant: every slot is written at most once (jansson refuses duplicate keys), and whatever was
// written before an error is harmless: a message with errors is never sent.

#include "gateway/transcode.h"

#include "gateway/json_scan.h"
#include "gateway/values.h"
#include "lib/base/macros.h"
#include "proto/product.pb-c.h"

#include <jansson.h>
#include <string.h>

// Fields whose absence would mean a 0 that nobody wants: stock that is set to nothing, goods for nothing.
static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *field;
} REQUIRED[] = {
    {&baro__product__change_stock_request__descriptor, "quantity"},
    {&baro__product__new_option__descriptor,           "price"   },
    {&baro__product__add_option_request__descriptor,   "price"   },
};

bool transcode_requires(const ProtobufCMessageDescriptor *type, const char *field)
{
    for (size_t i = 0; i < COUNT(REQUIRED); i++)
        if (REQUIRED[i].type == type && strcmp(REQUIRED[i].field, field) == 0)
            return true;
    return false;
}

struct place {
    const struct place *parent;
    const char *name; // NULL: an element of an array
    size_t index;
};

struct reading {
    struct arena *arena;
    struct field_errors *errors;
};

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

bool transcode_has_own_json(const ProtobufCMessageDescriptor *type)
{
    return message_reader(type) != NULL;
}

static void read_object(struct reading *reading, const json_t *object, const struct place *place,
                        const ProtobufCFieldDescriptor *const *taken, size_t taken_count,
                        ProtobufCMessage *message);

// Reads one value, not an array, into its slot.
static void read_slot(struct reading *reading, const ProtobufCFieldDescriptor *field,
                      struct value value, void *slot, const struct place *place)
{
    read_value *read = value_reader(field);
    const char *wrong = "must be an object";
    void *target = slot;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        *(ProtobufCMessage **)slot = target = message_create(field->descriptor, reading->arena);
    if (!read && json_is_object(value.json))
        read_object(reading, value.json, place, NULL, 0, target);
    else if (!read || !read(reading->arena, field, value, target, &wrong))
        add_error(reading, place, wrong);
}

static void read_array(struct reading *reading, const ProtobufCFieldDescriptor *field,
                       const json_t *array, ProtobufCMessage *message, const struct place *place)
{
    if (!json_is_array(array)) {
        add_error(reading, place, "must be an array");
        return;
    }
    size_t count = json_array_size(array);
    char *slots = arena_array(reading->arena, count, value_size(field));
    for (size_t i = 0; i < count; i++) {
        struct place element = {.parent = place, .index = i};
        struct value value = {.json = json_array_get(array, i)};
        read_slot(reading, field, value, slots + i * value_size(field), &element);
    }
    *(size_t *)((char *)message + field->quantifier_offset) = count;
    *(void **)((char *)message + field->offset) = slots;
}

static void read_field(struct reading *reading, const ProtobufCFieldDescriptor *field,
                       const json_t *json, ProtobufCMessage *message, const struct place *place)
{
    bool nullable = field->label != PROTOBUF_C_LABEL_REPEATED &&
                    field->type == PROTOBUF_C_TYPE_MESSAGE && message_reader(field->descriptor);
    if (json_is_null(json) && nullable)
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        read_array(reading, field, json, message, place);
    else
        read_slot(reading, field, (struct value){.json = json}, (char *)message + field->offset,
                  place);
}

bool fields_include(const ProtobufCFieldDescriptor *const *fields, size_t count,
                    const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i] == field)
            return true;
    return false;
}

static void miss_required(struct reading *reading, const json_t *object, const struct place *place,
                          const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < COUNT(REQUIRED); i++)
        if (REQUIRED[i].type == type && !json_object_get(object, REQUIRED[i].field)) {
            struct place member = {.parent = place, .name = REQUIRED[i].field};
            add_error(reading, &member, "must be given");
        }
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
        if (!field || fields_include(taken, taken_count, field))
            add_error(reading, &member, "is not a field of this request");
        else
            read_field(reading, field, json_object_iter_value(at), message, &member);
    }
    miss_required(reading, object, place, message->descriptor);
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
    if (message_reader(type))
        return OK;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool known = field->type == PROTOBUF_C_TYPE_MESSAGE || value_reader(field);
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
