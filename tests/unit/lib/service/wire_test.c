#include "lib/service/wire.h"

#include <criterion/criterion.h>

Test(wire, shows_what_is_absent_as_nothing)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert_null(wire_time(arena, 0));
    cr_assert_null(wire_optional(arena, 0));
    cr_assert_eq(wire_us(NULL), 0);
}

Test(wire, shows_what_is_there)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert_eq(wire_us(wire_time(arena, -1)), -1);
    cr_assert_eq(wire_optional(arena, 7)->value, 7);
    cr_assert_eq(wire_empty()->descriptor, &baro__empty__descriptor);
}
