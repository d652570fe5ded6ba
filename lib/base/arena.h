#pragma once
// Memory of one call or one batch: many small allocations, freed together.
//
// Handlers allocate from the arena of their call or batch and never free. Running out of memory
// ends the process: every fact is in the database, and a restart is cleaner than half an answer.
// An arena belongs to one thread at a time.

#include "lib/base/macros.h"

#include <stddef.h>

struct arena;

// Makes an empty arena. The caller owns it and ends it with arena_destroy.
struct arena *arena_create(void);

// Frees the arena and everything allocated from it. Accepts NULL.
void arena_destroy(struct arena *arena);

// Frees everything allocated so far but keeps the first block for the next use.
void arena_reset(struct arena *arena);

// Returns size bytes, aligned for any type and zeroed. Never NULL.
void *arena_alloc(struct arena *arena, size_t size);

// The same for count elements of size bytes; the product is checked for overflow.
void *arena_array(struct arena *arena, size_t count, size_t size);

// Copies size bytes into the arena.
void *arena_copy(struct arena *arena, const void *bytes, size_t size);

DEFINE_SCOPED(arena, arena_destroy)
