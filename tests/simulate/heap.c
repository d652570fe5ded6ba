// malloc and its kin for the programs under simulation (linked with --wrap): each process allocates
// from its own chunks, and its death gives them all back at once. Outside of processes, and for what
// other libraries allocate, the system's allocator does as ever.
//
// Chunks lie in one reserved region, so that a pointer tells where it comes from. Blocks are powers of
// two with a header that names their class; what is freed waits in the list of its class.

#include "tests/simulate/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK = 1 << 20, CLASSES = 20, SMALLEST_SHIFT = 5, HEADER = 16 };
#define REGION (UINT64_C(1) << 34)

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);
int __wrap_asprintf(char **out, const char *format, ...);
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...);

struct block {
    struct block *next;
};

struct chunk {
    struct chunk *next;
};

struct heap {
    struct chunk *chunks;
    unsigned char *next, *end;
    struct block *free[CLASSES];
};

static unsigned char *region, *region_next;
static struct chunk *spare;
static struct heap heaps[64];
static uint64_t heaps_used;

static struct chunk *take_chunk(void)
{
    struct chunk *chunk = spare;
    if (chunk) {
        spare = chunk->next;
        return chunk;
    }
    if (!region) {
        region = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert(region != MAP_FAILED);
        region_next = region;
    }
    chunk = (struct chunk *)(void *)region_next;
    region_next += CHUNK;
    assert(region_next <= region + REGION);
    return chunk;
}

struct heap *heap_create(void)
{
    int at = __builtin_ctzll(~heaps_used);
    heaps_used |= UINT64_C(1) << at;
    heaps[at] = (struct heap){.chunks = NULL};
    return &heaps[at];
}

void heap_destroy(struct heap *heap)
{
    struct chunk *next;
    for (struct chunk *chunk = heap->chunks; chunk; chunk = next) {
        next = chunk->next;
        chunk->next = spare;
        spare = chunk;
    }
    heaps_used &= ~(UINT64_C(1) << (heap - heaps));
}

static int class_of(size_t size)
{
    size_t room = size + HEADER;
    if (room <= (size_t)1 << SMALLEST_SHIFT)
        return 0;
    return 64 - __builtin_clzll(room - 1) - SMALLEST_SHIFT;
}

static void *allocate(struct heap *heap, size_t size)
{
    int class = class_of(size);
    assert(class < CLASSES);
    struct block *block = heap->free[class];
    if (block) {
        heap->free[class] = block->next;
        return block;
    }
    size_t room = (size_t)1 << (class + SMALLEST_SHIFT);
    assert(room <= CHUNK / 2);
    if ((size_t)(heap->end - heap->next) < room) {
        struct chunk *chunk = take_chunk();
        chunk->next = heap->chunks;
        heap->chunks = chunk;
        heap->next = (unsigned char *)chunk + HEADER;
        heap->end = (unsigned char *)chunk + CHUNK;
    }
    unsigned char *memory = heap->next;
    heap->next += room;
    *(int64_t *)(void *)memory = class;
    return memory + HEADER;
}

static bool is_ours(const void *memory)
{
    const unsigned char *at = memory;
    return region && at >= region && at < region + REGION;
}

static size_t room_of(const void *memory)
{
    int64_t class = *(const int64_t *)(const void *)((const unsigned char *)memory - HEADER);
    return ((size_t)1 << (class + SMALLEST_SHIFT)) - HEADER;
}

void *__wrap_malloc(size_t size)
{
    return process_now ? allocate(process_now->heap, size) : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (!process_now)
        return __real_calloc(count, size);
    return memset(allocate(process_now->heap, count * size), 0, count * size);
}

void __wrap_free(void *memory)
{
    if (!is_ours(memory)) {
        __real_free(memory);
        return;
    }
    assert(process_now);
    int64_t class = *(int64_t *)(void *)((unsigned char *)memory - HEADER);
    struct block *block = memory;
    block->next = process_now->heap->free[class];
    process_now->heap->free[class] = block;
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (!process_now || (memory && !is_ours(memory)))
        return __real_realloc(memory, size);
    if (memory && room_of(memory) >= size)
        return memory;
    void *grown = allocate(process_now->heap, size);
    if (memory) {
        memcpy(grown, memory, room_of(memory));
        __wrap_free(memory);
    }
    return grown;
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    return __wrap_realloc(memory, count * size);
}

char *__wrap_strndup(const char *text, size_t most)
{
    size_t length = strnlen(text, most);
    char *copy = __wrap_malloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, SIZE_MAX);
}

static int print(char **out, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    *out = __wrap_malloc((size_t)length + 1);
    vsnprintf(*out, (size_t)length + 1, format, again);
    va_end(again);
    return length;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = print(out, format, args);
    va_end(args);
    return length;
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    (void)flag;
    va_list args;
    va_start(args, format);
    int length = print(out, format, args);
    va_end(args);
    return length;
}
