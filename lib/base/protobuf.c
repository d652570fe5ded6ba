// protobuf-c takes any bytes as a string and forgets the length, so after unpacking a NUL inside
// one can no longer be seen: two services could disagree about a key. The wire is therefore walked
// beside the descriptors before it is unpacked. The walk reads tags and lengths exactly as
// protobuf-c does (five bytes at most), but for field numbers that there are not: protobuf-c keeps
// them, and what it packs of that nobody can read. What the walk does not judge, unpacking does.
// Both recurse as deep as the type does, which is little: no message of proto/ contains itself.

#include "lib/base/protobuf.h"

#include "lib/base/text.h"

#include <assert.h>

enum {
    MEMORY_LIMIT = 1024 * 1024,
    ALLOCATION_UNIT = 16, // what the smallest allocation costs
    FIELD_NUMBER_MAX = (1 << 29) - 1,
};

static void *allocate(void *context, size_t size)
{
    struct arena_allocator *allocator = context;
    if (size > allocator->left)
        return NULL;
    size_t cost = (size / ALLOCATION_UNIT + 1) * ALLOCATION_UNIT;
    allocator->left -= cost < allocator->left ? cost : allocator->left;
    return arena_alloc(allocator->arena, size);
}

static void keep(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

void arena_allocator_init(struct arena_allocator *allocator, struct arena *arena, size_t limit)
{
    *allocator = (struct arena_allocator){
        .allocator = {.alloc = allocate, .free = keep, .allocator_data = allocator},
        .arena = arena,
        .left = limit,
    };
}

struct wire {
    const uint8_t *at;
    const uint8_t *end;
};

static bool read_varint(struct wire *wire, int max_bytes, uint64_t *value)
{
    uint64_t sum = 0;
    for (int i = 0; i < max_bytes && wire->at < wire->end; i++) {
        uint8_t byte = *wire->at++;
        sum |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (!(byte & 0x80)) {
            *value = sum;
            return true;
        }
    }
    return false;
}

static bool skip(struct wire *wire, uint64_t size)
{
    if (size > (uint64_t)(wire->end - wire->at))
        return false;
    wire->at += size;
    return true;
}

// Reads one field: its number, and its bytes if it is length-delimited (else body->at is NULL).
static bool read_field(struct wire *wire, uint32_t *number, struct wire *body)
{
    uint64_t tag, value;
    if (!read_varint(wire, 5, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return false;
    *number = (uint32_t)(tag >> 3);
    *body = (struct wire){0};
    switch (tag & 7) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return read_varint(wire, 10, &value);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return skip(wire, 8);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!read_varint(wire, 5, &value))
            return false;
        body->at = wire->at;
        if (!skip(wire, value))
            return false;
        body->end = wire->at;
        return true;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return skip(wire, 4);
    default:
        return false;
    }
}

static bool has_clean_strings(const ProtobufCMessageDescriptor *type, struct wire wire)
{
    while (wire.at < wire.end) {
        uint32_t number;
        struct wire body;
        if (!read_field(&wire, &number, &body))
            return false;
        const ProtobufCFieldDescriptor *field =
            body.at ? protobuf_c_message_descriptor_get_field(type, number) : NULL;
        if (!field)
            continue;
        if (field->type == PROTOBUF_C_TYPE_STRING &&
            !text_is_utf8((const char *)body.at, (size_t)(body.end - body.at)))
            return false;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && !has_clean_strings(field->descriptor, body))
            return false;
    }
    return true;
}

ProtobufCMessage *protobuf_unpack(const ProtobufCMessageDescriptor *type, size_t size,
                                  const uint8_t *bytes, struct arena *arena)
{
    if (size > 0 && !has_clean_strings(type, (struct wire){bytes, bytes + size}))
        return NULL;
    struct arena_allocator allocator;
    arena_allocator_init(&allocator, arena, MEMORY_LIMIT);
    return protobuf_c_message_unpack(type, &allocator.allocator, size, bytes);
}

char *protobuf_text(const char *text)
{
    union {
        const char *text;
        char *lent;
    } same = {.text = text ? text : ""};
    return same.lent;
}

uint8_t *protobuf_pack(const ProtobufCMessage *message, struct arena *arena, size_t *size)
{
    size_t room = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(arena, room);
    size_t packed = protobuf_c_message_pack(message, bytes);
    assert(packed == room);
    *size = packed;
    return bytes;
}
