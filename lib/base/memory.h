#pragma once
// Memory of its own life: what outlives a call and its arena, and ends with free().
//
// Running out of it ends the process: every fact is in the database, and a restart is cleaner than half
// an answer.

#include <stddef.h>

// Returns size bytes, zeroed. Never NULL; the caller frees.
void *memory_alloc(size_t size);

// The same for count elements of size bytes; the product is checked for overflow.
void *memory_array(size_t count, size_t size);

// Moves an array, which may be NULL, to one of count elements of size bytes; what is new is not zeroed.
void *memory_resize(void *items, size_t count, size_t size);

// A copy of the text; the caller frees.
char *memory_text(const char *text);

// The memory that another library gave, or the end of the process for NULL.
void *memory_or_die(void *memory);
