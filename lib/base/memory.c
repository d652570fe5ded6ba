// Every allocation that may fail is here, but the arena's own blocks.

#include "lib/base/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *memory_or_die(void *memory)
{
    if (!memory) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *memory_alloc(size_t size)
{
    return memory_array(1, size);
}

void *memory_array(size_t count, size_t size)
{
    bool nothing = count == 0 || size == 0; // for which calloc may give NULL
    return memory_or_die(nothing ? calloc(1, 1) : calloc(count, size));
}

void *memory_resize(void *items, size_t count, size_t size)
{
    return memory_or_die(reallocarray(items, count, size));
}

char *memory_text(const char *text)
{
    return memory_or_die(strdup(text));
}
