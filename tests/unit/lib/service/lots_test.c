#include "lib/service/lots.h"

#include "lib/base/text.h"

#include <criterion/criterion.h>

struct work {
    int left;
    int lots;
    bool fails;
};

static struct status do_some(void *context, struct db *db, struct arena *arena, bool *more)
{
    struct work *work = context;
    (void)db;
    work->lots++;
    *more = --work->left > 0;
    return work->fails ? refuse(REASON_UNAVAILABLE, text_printf(arena, "lot %d", work->lots)) : OK;
}

Test(lots, are_done_until_nothing_is_left)
{
    SCOPED(arena) *arena = arena_create();
    struct work work = {.left = 3};
    cr_assert(!failed(lots_run(do_some, &work, NULL, arena)));
    cr_expect_eq(work.lots, 3);
}

Test(lots, end_with_the_first_failure_whose_words_outlive_it)
{
    SCOPED(arena) *arena = arena_create();
    struct work work = {.left = 3, .fails = true};
    struct status st = lots_run(do_some, &work, NULL, arena);
    cr_assert_eq(st.code, STATUS_UNAVAILABLE);
    cr_expect_str_eq(st.message, "lot 1");
    cr_expect_eq(work.lots, 1);
}
