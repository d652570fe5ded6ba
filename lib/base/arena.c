// An arena is one allocation of 8 KiB that holds its own head, and a list of further blocks when
// that is not enough. Most calls never need a second block, so a call costs one malloc and one
// free whatever its handler allocates.
//
// Invariant: [next, end) is the unused rest of the block that is filled now; blocks are listed
// newest first and the first one is not in the list. Under AddressSanitizer the unused rest is
// poisoned and allocations are kept apart, so an overrun inside an arena is found too.

#include "lib/base/arena.h"

#include "lib/base/memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(from, size) ASAN_POISON_MEMORY_REGION(from, size)
#define UNPOISON(from, size) ASAN_UNPOISON_MEMORY_REGION(from, size)
enum { RED_ZONE = 16 };
#else
#define POISON(from, size) ((void)(from), (void)(size))
#define UNPOISON(from, size) ((void)(from), (void)(size))
enum { RED_ZONE = 0 };
#endif

enum {
    ALIGNMENT = alignof(max_align_t),
    FIRST_BLOCK = 8 * 1024 - 4 * sizeof(void *),
    NEXT_BLOCK = 64 * 1024,
    OWN_BLOCK = NEXT_BLOCK / 4, // a request from this size on gets a block for itself
};

struct block {
    struct block *older;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    unsigned char *next;
    unsigned char *end;
    struct block *newest;
    alignas(max_align_t) unsigned char first[FIRST_BLOCK];
};

// Makes the whole first block the unused rest.
static void start_over(struct arena *arena)
{
    arena->next = arena->first;
    arena->end = arena->first + FIRST_BLOCK;
    arena->newest = NULL;
    POISON(arena->first, FIRST_BLOCK);
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *older = block->older;
        free(block);
        block = older;
    }
}

static struct block *add_block(struct arena *arena, size_t size)
{
    struct block *block = memory_or_die(malloc(sizeof(*block) + size));
    block->older = arena->newest;
    arena->newest = block;
    return block;
}

struct arena *arena_create(void)
{
    struct arena *arena = memory_or_die(malloc(sizeof(*arena)));
    start_over(arena);
    return arena;
}

void arena_destroy(struct arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->newest);
    UNPOISON(arena->first, FIRST_BLOCK);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    free_blocks(arena->newest);
    start_over(arena);
}

// Returns room bytes that nobody else has; room is a multiple of the alignment.
static void *take(struct arena *arena, size_t room)
{
    if (room > (size_t)(arena->end - arena->next)) {
        if (room >= OWN_BLOCK) {
            struct block *own = add_block(arena, room);
            POISON(own->bytes, room);
            return own->bytes;
        }
        arena->next = add_block(arena, NEXT_BLOCK)->bytes;
        arena->end = arena->next + NEXT_BLOCK;
        POISON(arena->next, NEXT_BLOCK);
    }
    void *memory = arena->next;
    arena->next += room;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    assert(size <= PTRDIFF_MAX / 2);
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = take(arena, rounded + RED_ZONE);
    UNPOISON(memory, size);
    return memset(memory, 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > PTRDIFF_MAX / 2)
        memory_or_die(NULL);
    return arena_alloc(arena, total);
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = arena_alloc(arena, size);
    return size ? memcpy(copy, bytes, size) : copy;
}
