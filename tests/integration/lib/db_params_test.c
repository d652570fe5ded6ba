// Parameters and results in binary, and batches larger than any buffer.

#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

Test(params, every_kind_comes_back_as_it_went)
{
    static const struct statement echo = {
        "echo", "SELECT $1::bigint, $2::boolean, $3::text, $4::bytea, $1::int, $1::smallint,"
                " $3::varchar"};
    const uint8_t raw[] = {0, 1, 0xff, 0, '\\'};
    SCOPED(db) *db = test_db("params");
    struct rows rows;
    expect_ok(db_query(
        db, &echo,
        PARAMS(p_int64(-42), p_bool(true), p_text("바로 'x' \\"), p_bytes(raw, sizeof(raw))),
        &rows));
    cr_expect_eq(rows_int64(&rows, 0, 0), -42);
    cr_expect(rows_bool(&rows, 0, 1));
    cr_expect_str_eq(rows_text(&rows, 0, 2), "바로 'x' \\");
    struct bytes back = rows_bytes(&rows, 0, 3);
    cr_expect(back.size == sizeof(raw) && memcmp(back.data, raw, sizeof(raw)) == 0);
    cr_expect_eq(rows_int64(&rows, 0, 4), -42);
    cr_expect_eq(rows_int64(&rows, 0, 5), -42);
    cr_expect_str_eq(rows_text(&rows, 0, 6), "바로 'x' \\");
}

Test(params, null_goes_and_comes_as_null)
{
    static const struct statement echo = {
        "echo", "SELECT $1::bigint, $2::text, $3::bytea, baro_time($1), NULL::boolean"};
    SCOPED(db) *db = test_db("params");
    struct rows rows;
    expect_ok(
        db_query(db, &echo, PARAMS(p_int64(DB_NULL_INT64), p_text(NULL), p_bytes(NULL, 0)), &rows));
    for (int column = 0; column < 5; column++)
        cr_expect(rows_is_null(&rows, 0, column), "column %d", column);
    cr_expect_eq(rows_int64(&rows, 0, 0), 0);
    cr_expect_null(rows_text(&rows, 0, 1));
    cr_expect_null(rows_bytes(&rows, 0, 2).data);
    cr_expect_not(rows_bool(&rows, 0, 4));
}

Test(params, arrays_keep_their_nulls_and_empty_elements)
{
    static const struct statement echo = {
        "echo", "SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS t(a, b, c)"};
    SCOPED(db) *db = test_db("params");
    const int64_t numbers[] = {1, DB_NULL_INT64, INT64_MAX};
    const char *const texts[] = {NULL, "", "끝"};
    const struct bytes blobs[] = {
        {(const uint8_t *)"\0x", 2},
        {(const uint8_t *)"",    0},
        {NULL,                   0}
    };
    struct rows rows;
    expect_ok(db_query(db, &echo,
                       PARAMS(p_int64s(numbers, 3), p_texts(texts, 3), p_byteas(blobs, 3)), &rows));
    cr_assert_eq(rows.count, 3);
    cr_expect_eq(rows_int64(&rows, 0, 0), 1);
    cr_expect(rows_is_null(&rows, 1, 0));
    cr_expect_eq(rows_int64(&rows, 2, 0), INT64_MAX);
    cr_expect_null(rows_text(&rows, 0, 1));
    cr_expect_str_eq(rows_text(&rows, 1, 1), "");
    cr_expect_str_eq(rows_text(&rows, 2, 1), "끝");
    cr_expect_eq(rows_bytes(&rows, 0, 2).size, 2);
    cr_expect_not(rows_is_null(&rows, 1, 2));
    cr_expect(rows_is_null(&rows, 2, 2));
}

Test(params, an_empty_array_is_no_null)
{
    static const struct statement sizes = {
        "sizes", "SELECT cardinality($1::bigint[]), cardinality($2::text[]),"
                 " cardinality($3::bytea[])"};
    SCOPED(db) *db = test_db("params");
    struct rows rows;
    expect_ok(db_query(db, &sizes, PARAMS(p_int64s(NULL, 0), p_texts(NULL, 0), p_byteas(NULL, 0)),
                       &rows));
    for (int column = 0; column < 3; column++) {
        cr_expect_not(rows_is_null(&rows, 0, column));
        cr_expect_eq(rows_int64(&rows, 0, column), 0);
    }
}

Test(params, times_are_exact_to_the_microsecond)
{
    static const struct statement echo = {"echo",
                                          "SELECT baro_time(t) FROM unnest($1::bigint[]) t"};
    const int64_t times_us[] = {0, 1, -1, 946684800000000, 1795234567890123, 4102444799999999};
    enum { TIMES = sizeof(times_us) / sizeof(times_us[0]) };
    SCOPED(db) *db = test_db("params");
    struct rows rows;
    expect_ok(db_query(db, &echo, PARAMS(p_int64s(times_us, TIMES)), &rows));
    for (size_t i = 0; i < TIMES; i++)
        cr_expect_eq(rows_int64(&rows, i, 0), times_us[i]);
}

Test(params, a_hundred_thousand_elements_go_both_ways)
{
    static const struct statement echo = {
        "echo", "SELECT a, b FROM unnest($1::bigint[], $2::text[]) AS t(a, b)"};
    enum { COUNT_OF = 100000 };
    static int64_t numbers[COUNT_OF];
    static const char *texts[COUNT_OF];
    for (size_t i = 0; i < COUNT_OF; i++) {
        numbers[i] = i % 10 == 0 ? DB_NULL_INT64 : (int64_t)i;
        texts[i] = i % 7 == 0 ? NULL : "some words that make the message long";
    }
    SCOPED(db) *db = test_db("params");
    struct rows rows;
    expect_ok(
        db_query(db, &echo, PARAMS(p_int64s(numbers, COUNT_OF), p_texts(texts, COUNT_OF)), &rows));
    cr_assert_eq(rows.count, COUNT_OF);
    for (size_t i = 0; i < COUNT_OF; i++) {
        cr_assert_eq(rows_is_null(&rows, i, 0), numbers[i] == DB_NULL_INT64);
        cr_assert_eq(rows_is_null(&rows, i, 1), texts[i] == NULL);
    }
}

Test(params, large_answers_do_not_stop_a_large_batch, .timeout = 60)
{
    // 40 MB in each direction, all sent before the first answer is asked for.
    static const struct statement echo = {"echo", "SELECT $1::bytea"};
    enum { SIZE = 20000, STATEMENTS = 2000 };
    static uint8_t blob[SIZE];
    SCOPED(db) *db = test_db("params");
    expect_ok(db_begin(db));
    for (int i = 0; i < STATEMENTS; i++)
        expect_ok(db_queue(db, &echo, PARAMS(p_bytes(blob, SIZE))));
    expect_ok(db_commit(db));
}
