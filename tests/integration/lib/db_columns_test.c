// Rows in memory as the arrays of one statement.

#include "lib/db/columns.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

Test(columns, numbers_come_before_texts_before_blobs_before_the_rest)
{
    static const struct statement echo = {
        "echo", "SELECT t.*, $4::bigint, $5::text"
                " FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS t(a, b, c)"};
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = test_db("columns");
    struct columns columns;
    struct rows rows;
    columns_init(&columns, arena, 3, 1, 1, 1);
    for (int64_t i = 1; i <= 2; i++) // less than there is room for
        columns_add(&columns, &i, (const char *[]){i == 1 ? "first" : NULL},
                    &(struct bytes){(const uint8_t *)"\0x", (size_t)i});

    struct params rest = PARAMS(p_int64(7), p_text("same"));
    expect_ok(db_query(db, &echo, columns_params(&columns, rest), &rows));

    cr_assert_eq(rows.count, 2);
    cr_expect_str_eq(rows_text(&rows, 0, 1), "first");
    cr_expect(rows_is_null(&rows, 1, 1));
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(rows_int64(&rows, i, 0), (int64_t)i + 1);
        cr_expect_eq(rows_bytes(&rows, i, 2).size, i + 1);
        cr_expect_eq(rows_int64(&rows, i, 3), 7);
        cr_expect_str_eq(rows_text(&rows, i, 4), "same");
    }
}

Test(columns, without_a_row_nothing_is_sent)
{
    static const struct statement broken = {"broken", "SELECT nobody($1::bigint[], $2::bigint)"};
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = test_db("columns");
    struct columns columns;
    columns_init(&columns, arena, 0, 1, 0, 0);
    expect_ok(columns_queue(&columns, db, &broken));
    expect_ok(columns_queue_with(&columns, db, &broken, PARAMS(p_int64(1))));
    expect_ok(db_flush(db));
}
