#include "lib/base/arena.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

Test(arena, hands_out_zeroed_aligned_memory_of_any_size)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 4096, 8000, 16383, 16384, 65536, 3000000};
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(sizes); i++) {
        unsigned char *memory = arena_alloc(arena, sizes[i]);
        cr_assert_eq((uintptr_t)memory % alignof(max_align_t), 0, "size %zu", sizes[i]);
        cr_assert(is_zero(memory, sizes[i]), "size %zu", sizes[i]);
        memset(memory, 0xAB, sizes[i]);
    }
}

Test(arena, keeps_allocations_apart)
{
    enum { MANY = 5000 };
    SCOPED(arena) *arena = arena_create();
    unsigned char *pieces[MANY];
    for (size_t i = 0; i < MANY; i++) {
        pieces[i] = arena_alloc(arena, i % 97 + 1);
        memset(pieces[i], (int)(i % 251), i % 97 + 1);
    }
    for (size_t i = 0; i < MANY; i++)
        for (size_t k = 0; k < i % 97 + 1; k++)
            cr_assert_eq(pieces[i][k], i % 251, "piece %zu, byte %zu", i, k);
}

Test(arena, goes_on_in_its_block_after_a_large_allocation)
{
    SCOPED(arena) *arena = arena_create();
    char *before = arena_alloc(arena, 16);
    arena_alloc(arena, 100000);
    char *after = arena_alloc(arena, 16);
    cr_assert(after > before && after - before < 64);
}

Test(arena, reuses_its_first_block_zeroed_after_a_reset)
{
    SCOPED(arena) *arena = arena_create();
    unsigned char *first = arena_alloc(arena, 1000);
    memset(first, 0xFF, 1000);
    arena_alloc(arena, 1000000);
    arena_reset(arena);
    unsigned char *again = arena_alloc(arena, 1000);
    cr_assert_eq(again, first);
    cr_assert(is_zero(again, 1000));
}

Test(arena, copies_bytes)
{
    SCOPED(arena) *arena = arena_create();
    const char bytes[] = {'a', 0, 'b'};
    char *copy = arena_copy(arena, bytes, sizeof(bytes));
    cr_assert_neq((const void *)copy, (const void *)bytes);
    cr_assert_arr_eq(copy, bytes, sizeof(bytes));
    cr_assert_not_null(arena_copy(arena, NULL, 0));
}

Test(arena, ends_the_process_when_a_product_overflows, .signal = SIGABRT)
{
    SCOPED(arena) *arena = arena_create();
    arena_array(arena, SIZE_MAX / 8, 9);
}

Test(arena, destroys_nothing)
{
    arena_destroy(NULL);
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>

Test(arena, poisons_what_nobody_was_given)
{
    SCOPED(arena) *arena = arena_create();
    static const size_t sizes[] = {10, 16, 5000, 50000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        unsigned char *memory = arena_alloc(arena, sizes[i]);
        cr_assert(!__asan_region_is_poisoned(memory, sizes[i]));
        cr_assert(__asan_address_is_poisoned(memory + sizes[i]), "size %zu", sizes[i]);
    }
    unsigned char *stale = arena_alloc(arena, 10);
    arena_reset(arena);
    cr_assert(__asan_address_is_poisoned(stale));
}
#endif
