// The frame of an item is written here by hand: protobuf's tag of field 1, length-delimited, and the
// length. Both kinds of parcels have their envelopes in field 1.

#include "lib/rpc/parcel.h"

#include "lib/rpc/nng.h"

#include <assert.h>
#include <stdlib.h>

enum {
    TAG_ITEM = 1 << 3 | 2, // field 1, length-delimited
    TAG_IDLE = 2 << 3,     // field 2, a number
    FRAME_MAX = 6,
    NNG_HEADER_MAX = 64, // request ids and hops count against the receive limit
};

static size_t write_frame(uint8_t *bytes, size_t size)
{
    size_t at = 0;
    bytes[at++] = TAG_ITEM;
    for (; size >= 0x80; size >>= 7)
        bytes[at++] = (uint8_t)(size | 0x80);
    bytes[at++] = (uint8_t)size;
    return at;
}

struct parcel_item parcel_pack(const ProtobufCMessage *envelope, struct arena *arena)
{
    size_t size = protobuf_c_message_get_packed_size(envelope);
    uint8_t *bytes = arena_alloc(arena, size + FRAME_MAX);
    size_t frame = write_frame(bytes, size);
    size_t packed = protobuf_c_message_pack(envelope, bytes + frame);
    assert(packed == size);
    return (struct parcel_item){bytes, frame + size};
}

bool parcel_fits(struct parcel_item item)
{
    return item.size + SEAL_SIZE + NNG_HEADER_MAX <= MESSAGE_MAX;
}

void parcel_begin(struct parcel *parcel, size_t size)
{
    *parcel = (struct parcel){NULL, 0};
    if (nng_msg_alloc(&parcel->message, 0) != 0 ||
        nng_msg_reserve(parcel->message, size + SEAL_SIZE) != 0)
        abort();
}

bool parcel_is_full(const struct parcel *parcel, struct parcel_item item)
{
    return parcel->count == PARCEL_ITEMS_MAX ||
           (parcel->count > 0 && nng_msg_len(parcel->message) + item.size > PARCEL_BYTES_MAX);
}

static void append(struct parcel *parcel, const uint8_t *bytes, size_t size)
{
    if (nng_msg_append(parcel->message, bytes, size) != 0)
        abort();
}

void parcel_add(struct parcel *parcel, struct parcel_item item)
{
    append(parcel, item.bytes, item.size);
    parcel->count++;
}

void parcel_mark_idle(struct parcel *parcel)
{
    static const uint8_t idle[] = {TAG_IDLE, 1};
    append(parcel, idle, sizeof(idle));
}

nng_msg *parcel_end(struct parcel *parcel, const struct seal_key *key)
{
    if (seal(key, parcel->message) != 0)
        abort();
    return parcel->message;
}
