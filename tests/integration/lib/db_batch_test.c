// How a batch starts, on a real server.

#include "lib/base/clock.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct statement PID = {"pid", "SELECT pg_backend_pid()"};
static const struct statement END = {"end", "SELECT pg_terminate_backend($1::int, 5000)"};
static const struct statement SHOW = {"show", "SELECT current_setting('enable_seqscan')"};
static const struct statement MOVE = {
    "move", "UPDATE thing SET place = u.place FROM unnest($1::bigint[], $2::bigint[])"
            " AS u(id, place) WHERE thing.id = u.id"};
static const struct statement EXPLAIN_MOVE = {"explain_move",
                                              "EXPLAIN EXECUTE move('{1,2}', '{1,2}')"};

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

static void begin_batch(struct db *db)
{
    expect_ok(db_begin(db));
    expect_ok(db_start_batch(db));
}

static bool reads_whole_tables(struct db *db)
{
    struct rows rows;
    expect_ok(db_query(db, &SHOW, NO_PARAMS, &rows));
    return strcmp(rows_text(&rows, 0, 0), "on") == 0;
}

Test(batch, now_is_the_clock_of_the_database)
{
    SCOPED(db) *db = test_db("batch");
    int64_t now_us = 0;
    test_script(db, "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE"
                    " AS $$SELECT '2030-01-01 00:00:00Z'::timestamptz$$");
    begin_batch(db);
    expect_ok(db_now(db, &now_us));
    cr_expect_eq(now_us, INT64_C(1893456000) * US_PER_S);
}

Test(batch, now_comes_with_the_first_statement_that_waits)
{
    SCOPED(db) *db = test_db("batch");
    SCOPED(db) *other = test_db("batch_other");
    struct rows rows;
    int64_t now_us = 0;
    begin_batch(db);
    expect_ok(db_query(db, &PID, NO_PARAMS, &rows));
    int64_t pid = rows_int64(&rows, 0, 0);
    expect_ok(db_query(other, &END, PARAMS(p_int64(pid)), &rows));
    expect_ok(db_now(db, &now_us));
    cr_expect_neq(now_us, 0);
    cr_expect(failed(db_commit(db)));
}

Test(batch, the_planner_settings_end_with_the_transaction)
{
    SCOPED(db) *db = test_db("batch");
    begin_batch(db);
    cr_expect_not(reads_whole_tables(db));
    expect_ok(db_commit(db));
    cr_expect(reads_whole_tables(db));
}

Test(batch, a_batch_of_reads_has_them_over_its_waits_until_it_ends)
{
    SCOPED(db) *db = test_db("batch");
    int64_t now_us;
    expect_ok(db_connect(db));
    expect_ok(db_start_batch(db));
    expect_ok(db_now(db, &now_us));
    cr_expect_not(reads_whole_tables(db));
    cr_expect_not(reads_whole_tables(db));
    expect_ok(db_commit(db));
    cr_expect(reads_whole_tables(db));
}

static void move_two(struct db *db)
{
    static const int64_t ids[] = {1, 2};
    begin_batch(db);
    expect_ok(db_execute(db, &MOVE, PARAMS(p_int64s(ids, 2), p_int64s(ids, 2)), NULL));
    expect_ok(db_commit(db));
}

Test(batch, a_plan_made_for_a_small_table_goes_by_the_index)
{
    SCOPED(db) *db = test_db("batch");
    struct rows rows;
    bool by_index = false;
    test_script(db, "CREATE TABLE thing (id bigint PRIMARY KEY, place bigint)"
                    " WITH (autovacuum_enabled = off);"
                    "INSERT INTO thing (id) SELECT generate_series(1, 20); ANALYZE thing");
    for (int i = 0; i < 10; i++)
        move_two(db);
    test_script(db, "INSERT INTO thing (id) SELECT generate_series(21, 10000)");
    begin_batch(db);
    expect_ok(db_query(db, &EXPLAIN_MOVE, NO_PARAMS, &rows));
    for (size_t row = 0; row < rows.count; row++)
        by_index = by_index || strstr(rows_text(&rows, row, 0), "Index Scan using thing_pkey");
    cr_expect(by_index);
}

static const struct statement NAME = {"name", "SELECT current_setting('application_name')"};
static const struct statement PREPARED = {
    "prepared", "SELECT count(*) FROM pg_prepared_statements WHERE name <> 'prepared'"};

static const char *name_of(struct db *db)
{
    struct rows rows;
    expect_ok(db_query(db, &NAME, NO_PARAMS, &rows));
    return rows_text(&rows, 0, 0);
}

Test(batch, a_traced_batch_bears_its_span_as_long_as_it_runs)
{
    static const char span[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    SCOPED(db) *db = test_db("batch");
    db_set_trace(db, span);
    begin_batch(db);
    cr_expect_str_eq(name_of(db), span);
    expect_ok(db_commit(db));
    db_set_trace(db, "");
    begin_batch(db);
    cr_expect_str_eq(name_of(db), "test");
    expect_ok(db_commit(db));
}

Test(batch, traced_reads_bear_their_span_over_every_wait)
{
    static const char span[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    SCOPED(db) *db = test_db("batch");
    db_set_trace(db, span);
    expect_ok(db_start_batch(db));
    cr_expect_str_eq(name_of(db), span);
    cr_expect_str_eq(name_of(db), span);
    expect_ok(db_commit(db));
}

static const struct statement SEEN = {
    "seen", "SELECT query FROM pg_stat_activity WHERE pid = $1 AND state = 'idle in transaction'"};

Test(batch, a_traced_batch_bears_its_span_as_a_comment_too)
{
    static const char span[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    SCOPED(db) *db = test_db("batch");
    SCOPED(db) *other = test_db("batch_other");
    struct rows rows;
    char comment[96];
    expect_ok(db_query(db, &PID, NO_PARAMS, &rows));
    int64_t pid = rows_int64(&rows, 0, 0);
    db_set_trace(db, span);
    begin_batch(db);
    expect_ok(db_flush(db));
    expect_ok(db_query(other, &SEEN, PARAMS(p_int64(pid)), &rows));
    cr_assert_eq(rows.count, 1u);
    snprintf(comment, sizeof(comment), "/*traceparent='%s'*/", span);
    cr_expect(strstr(rows_text(&rows, 0, 0), comment), "%s", rows_text(&rows, 0, 0));
    expect_ok(db_commit(db));
}

Test(batch, traces_share_their_prepared_statements)
{
    SCOPED(db) *db = test_db("batch");
    static const char *const spans[] = {"00-1-1-01", "00-2-2-01", "00-3-3-01"};
    int64_t prepared[COUNT(spans)];
    for (size_t i = 0; i < COUNT(spans); i++) {
        struct rows rows;
        db_set_trace(db, spans[i]);
        begin_batch(db);
        cr_expect_str_eq(name_of(db), spans[i]);
        expect_ok(db_query(db, &PREPARED, NO_PARAMS, &rows));
        prepared[i] = rows_int64(&rows, 0, 0);
        expect_ok(db_commit(db));
    }
    cr_expect_eq(prepared[1], prepared[2]);
}
