#pragma once
// Protobuf messages in and out of arenas, with a ceiling on what a peer can make us allocate.

#include "lib/base/arena.h"

#include <protobuf-c/protobuf-c.h>

// protobuf-c's allocator over an arena: alloc gives NULL beyond the ceiling, so that unpacking
// fails cleanly; free does nothing, the arena frees.
struct arena_allocator {
    ProtobufCAllocator allocator;
    struct arena *arena;
    size_t left;
};

// Makes `allocator` hand out at most `limit` bytes of the arena. It must not move afterwards.
void arena_allocator_init(struct arena_allocator *allocator, struct arena *arena, size_t limit);

// Unpacks a message into the arena and returns it; nothing in it may be freed. NULL if it is
// malformed, if any string in it (at any depth) is not UTF-8 or holds NUL, or if it would take
// more than 1 MiB of memory.
ProtobufCMessage *protobuf_unpack(const ProtobufCMessageDescriptor *type, size_t size,
                                  const uint8_t *bytes, struct arena *arena);

// The text, borrowed, as the generated structures take it: their fields are `char *` although nothing
// writes to them. "" for NULL.
char *protobuf_text(const char *text);

// Packs a message into the arena. Never NULL.
uint8_t *protobuf_pack(const ProtobufCMessage *message, struct arena *arena, size_t *size);
