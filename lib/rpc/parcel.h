#pragma once
// Parcels: many envelopes in one sealed message (RpcCalls, RpcReplies).
//
// What waits for the same peer leaves together, so a crowd shares the system calls, the thread
// switches and the MAC of a message; a lone call leaves at once. An envelope is packed once, when it
// is made, with the frame that it has as an element of field 1: a parcel is a row of such items.

#include "lib/base/arena.h"
#include "lib/rpc/seal.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

// Limits of a parcel of several: what unpacking it takes stays far below protobuf_unpack's ceiling.
// A single envelope may be as large as a message.
enum { PARCEL_ITEMS_MAX = 512, PARCEL_BYTES_MAX = 128 * 1024 };

struct parcel_item {
    const uint8_t *bytes;
    size_t size;
};

// Packs an envelope as an item, into the arena.
struct parcel_item parcel_pack(const ProtobufCMessage *envelope, struct arena *arena);

// False for an item that no message can carry.
bool parcel_fits(struct parcel_item item);

// A parcel that grows.
struct parcel {
    nng_msg *message;
    size_t count;
};

// Makes an empty parcel with room for `size` bytes. Out of memory ends the process.
void parcel_begin(struct parcel *parcel, size_t size);
bool parcel_is_full(const struct parcel *parcel, struct parcel_item item);
void parcel_add(struct parcel *parcel, struct parcel_item item);

// Marks a parcel of replies as the answer to a peer of which nothing is under way.
void parcel_mark_idle(struct parcel *parcel);

// Seals; the message is the caller's.
nng_msg *parcel_end(struct parcel *parcel, const struct seal_key *key);
