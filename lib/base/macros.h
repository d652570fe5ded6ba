#pragma once
// The few macros of the house.

#include <stddef.h>

// Number of elements of an array.
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Declares a variable whose release function runs at the end of the scope:
//     SCOPED(arena) *scratch = arena_create();
// calls arena_destroy(scratch). Each type that takes part defines its cleanup with DEFINE_SCOPED.
#define SCOPED(type) __attribute__((cleanup(type##_scoped))) struct type
#define DEFINE_SCOPED(type, release)                                                               \
    static inline void type##_scoped(struct type **object)                                         \
    {                                                                                              \
        release(*object);                                                                          \
    }
