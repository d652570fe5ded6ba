// Transactions over the pipeline, on a real server.

#include "lib/base/clock.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct statement ADD = {"add", "INSERT INTO thing (id) VALUES ($1::bigint)"};
static const struct statement HAS = {"has", "SELECT id FROM thing WHERE id = $1::bigint"};
static const struct statement PID = {"pid", "SELECT pg_backend_pid()"};
static const struct statement DIVIDE = {"divide", "SELECT 1 / $1::bigint"};
static const struct statement SLEEP = {"sleep", "SELECT pg_sleep(30) IS NULL"};
static const struct statement LOCK = {"lock",
                                      "SELECT id FROM thing WHERE id = $1::bigint FOR UPDATE"};

static struct db *given_things(void)
{
    struct db *db = test_db("transaction");
    test_script(db, "CREATE TABLE thing (id bigint PRIMARY KEY CHECK (id > 0));"
                    "CREATE TABLE part (thing_id bigint"
                    " REFERENCES thing DEFERRABLE INITIALLY DEFERRED)");
    return db;
}

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

static bool has(struct db *db, int64_t id)
{
    struct rows rows;
    expect_ok(db_query(db, &HAS, PARAMS(p_int64(id)), &rows));
    return rows.count == 1;
}

static int64_t backend(struct db *db)
{
    struct rows rows;
    expect_ok(db_query(db, &PID, NO_PARAMS, &rows));
    return rows_int64(&rows, 0, 0);
}

Test(transaction, queued_writes_are_durable_after_commit)
{
    SCOPED(db) *db = given_things();
    expect_ok(db_begin(db));
    for (int64_t id = 1; id <= 100; id++)
        expect_ok(db_queue(db, &ADD, PARAMS(p_int64(id))));
    expect_ok(db_commit(db));
    cr_expect(has(db, 1) && has(db, 100));
}

Test(transaction, a_client_that_falls_silent_in_one_loses_its_locks_soon)
{
    static const struct statement own = {"own", "SET idle_in_transaction_session_timeout = 0"};
    static const struct statement limit = {"limit",
                                           "SELECT setting::bigint FROM pg_settings"
                                           " WHERE name = 'idle_in_transaction_session_timeout'"};
    SCOPED(db) *db = given_things();
    struct rows rows;
    expect_ok(db_execute(db, &own, NO_PARAMS, NULL));
    expect_ok(db_begin(db));
    expect_ok(db_query(db, &limit, NO_PARAMS, &rows));
    cr_expect_eq(rows_int64(&rows, 0, 0), 10000);
    expect_ok(db_commit(db));
    expect_ok(db_query(db, &limit, NO_PARAMS, &rows));
    cr_expect_eq(rows_int64(&rows, 0, 0), 0, "it is the transaction's own");
}

Test(transaction, a_query_sees_the_writes_queued_before_it)
{
    SCOPED(db) *db = given_things();
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(7))));
    cr_expect(has(db, 7));
    db_rollback(db);
    cr_expect_not(has(db, 7));
}

Test(transaction, an_error_in_the_middle_takes_back_what_had_answered_well)
{
    SCOPED(db) *db = given_things();
    struct rows rows;
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(-1))));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(2))));
    struct status st = db_commit(db);
    cr_expect_eq(st.code, STATUS_INTERNAL);
    cr_expect(strstr(st.message, "23514") && strstr(st.message, "add"), "%s", st.message);
    cr_expect_not(has(db, 1) || has(db, 2));
    expect_ok(db_query(db, &HAS, PARAMS(p_int64(1)), &rows));
}

Test(transaction, a_failure_sticks_until_rollback)
{
    SCOPED(db) *db = given_things();
    struct rows rows;
    expect_ok(db_begin(db));
    struct status first = db_query(db, &DIVIDE, PARAMS(p_int64(0)), &rows);
    cr_expect_eq(first.code, STATUS_INTERNAL);
    cr_expect_eq(db_query(db, &PID, NO_PARAMS, &rows).code, STATUS_INTERNAL);
    cr_expect_eq(db_queue(db, &ADD, PARAMS(p_int64(1))).code, STATUS_INTERNAL);
    db_rollback(db);
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    expect_ok(db_commit(db));
    cr_expect(has(db, 1));
}

Test(transaction, commit_of_a_failed_transaction_fails_and_ends_it)
{
    SCOPED(db) *db = given_things();
    struct rows rows;
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    cr_expect(failed(db_query(db, &DIVIDE, PARAMS(p_int64(0)), &rows)));
    cr_expect(failed(db_commit(db)));
    cr_expect_not(has(db, 1));
}

Test(transaction, a_duplicate_key_is_a_lost_race)
{
    SCOPED(db) *db = given_things();
    expect_ok(db_execute(db, &ADD, PARAMS(p_int64(1)), NULL));
    struct status st = db_execute(db, &ADD, PARAMS(p_int64(1)), NULL);
    cr_expect_eq(st.code, STATUS_ABORTED);
    cr_expect_eq(st.reason, REASON_CONFLICT);
}

Test(transaction, an_error_of_the_commit_itself_is_definite)
{
    static const struct statement orphan = {"orphan", "INSERT INTO part VALUES ($1::bigint)"};
    SCOPED(db) *db = given_things();
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &orphan, PARAMS(p_int64(99))));
    struct status st = db_commit(db);
    cr_expect_eq(st.code, STATUS_INTERNAL);
    cr_expect(strstr(st.message, "23503"), "%s", st.message);
    cr_expect_not(has(db, 99));
}

Test(transaction, rollback_of_queued_writes_leaves_nothing)
{
    SCOPED(db) *db = given_things();
    int64_t pid = backend(db);
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(-1)))); // fails, as nobody has seen yet
    db_rollback(db);
    cr_expect_not(has(db, 1));
    cr_expect_eq(backend(db), pid, "the connection survives");
    db_rollback(db);
}

Test(transaction, a_statement_whose_prepare_was_skipped_is_prepared_later)
{
    SCOPED(db) *db = given_things();
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &DIVIDE, PARAMS(p_int64(0))));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    cr_expect(failed(db_commit(db)));
    expect_ok(db_execute(db, &ADD, PARAMS(p_int64(1)), NULL));
    cr_expect(has(db, 1));
}

Test(transaction, affected_rows_are_counted)
{
    static const struct statement clear = {"clear", "DELETE FROM thing"};
    SCOPED(db) *db = given_things();
    test_script(db, "INSERT INTO thing SELECT generate_series(1, 12)");
    int64_t affected = 0;
    expect_ok(db_execute(db, &clear, NO_PARAMS, &affected));
    cr_expect_eq(affected, 12);
}

Test(transaction, rows_of_several_queries_live_until_the_end)
{
    static const struct statement word = {"word", "SELECT 'word ' || $1::bigint"};
    SCOPED(db) *db = given_things();
    struct rows first, second;
    expect_ok(db_begin(db));
    expect_ok(db_query(db, &word, PARAMS(p_int64(1)), &first));
    expect_ok(db_query(db, &word, PARAMS(p_int64(2)), &second));
    cr_expect_str_eq(rows_text(&first, 0, 0), "word 1");
    cr_expect_str_eq(rows_text(&second, 0, 0), "word 2");
    expect_ok(db_commit(db));
}

Test(transaction, a_query_beyond_its_deadline_is_cancelled_on_the_server)
{
    SCOPED(db) *db = given_things();
    int64_t pid = backend(db);
    struct rows rows;
    int64_t start_us = clock_monotonic_us();
    db_set_deadline(db, start_us + 100 * US_PER_MS);
    struct status st = db_query(db, &SLEEP, NO_PARAMS, &rows);
    cr_expect_eq(st.code, STATUS_DEADLINE_EXCEEDED, "%s", st.message);
    cr_expect_lt(clock_monotonic_us() - start_us, US_PER_S);
    db_set_deadline(db, 0);
    cr_expect_eq(backend(db), pid, "the connection survives");
}

Test(transaction, nothing_is_sent_after_the_deadline)
{
    SCOPED(db) *db = given_things();
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    db_set_deadline(db, clock_monotonic_us() - 1);
    cr_expect_eq(db_commit(db).code, STATUS_DEADLINE_EXCEEDED);
    db_set_deadline(db, 0);
    cr_expect_not(has(db, 1));
}

Test(transaction, a_lock_that_does_not_come_ends_at_the_deadline)
{
    SCOPED(db) *owner = given_things();
    expect_ok(db_execute(owner, &ADD, PARAMS(p_int64(1)), NULL));
    struct rows rows;
    expect_ok(db_begin(owner));
    expect_ok(db_query(owner, &LOCK, PARAMS(p_int64(1)), &rows));

    // The same database over another handle.
    static const struct statement name = {"name", "SELECT current_database()::text"};
    expect_ok(db_query(owner, &name, NO_PARAMS, &rows));
    char url[512];
    const char *admin = getenv("BARO_ADMIN_DATABASE_URL");
    cr_assert_not_null(admin);
    snprintf(url, sizeof(url), "%.*s/%s", (int)(strrchr(admin, '/') - admin), admin,
             rows_text(&rows, 0, 0));
    SCOPED(db) *other = db_create(url, "other");
    db_set_deadline(other, clock_monotonic_us() + 100 * US_PER_MS);
    expect_ok(db_begin(other));
    cr_expect_eq(db_query(other, &LOCK, PARAMS(p_int64(1)), &rows).code, STATUS_DEADLINE_EXCEEDED);
    db_rollback(other);
    expect_ok(db_commit(owner));
    db_set_deadline(other, 0);
    cr_expect(has(other, 1));
}

Test(transaction, a_script_stops_at_its_first_error)
{
    SCOPED(db) *db = given_things();
    struct status st = db_script(db, "INSERT INTO thing VALUES (1); SELECT 1/0;"
                                     " INSERT INTO thing VALUES (2)");
    cr_expect_eq(st.code, STATUS_INTERNAL);
    cr_expect_not(has(db, 1) || has(db, 2));
}

Test(transaction, a_queued_query_gets_its_rows_with_the_next_answer)
{
    SCOPED(db) *db = given_things();
    struct rows first, second, third;
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    expect_ok(db_queue_query(db, &HAS, PARAMS(p_int64(1)), &first));
    expect_ok(db_query(db, &HAS, PARAMS(p_int64(2)), &second));
    cr_expect_eq(first.count, 1);
    cr_expect_eq(second.count, 0);
    expect_ok(db_queue_query(db, &HAS, PARAMS(p_int64(1)), &third));
    expect_ok(db_flush(db));
    cr_expect_eq(rows_int64(&third, 0, 0), 1);
    expect_ok(db_commit(db));
}

Test(transaction, readers_queue_flush_commit_and_roll_back_without_one)
{
    SCOPED(db) *db = given_things();
    struct rows rows;
    test_script(db, "INSERT INTO thing VALUES (1)");
    expect_ok(db_connect(db));
    expect_ok(db_queue_query(db, &HAS, PARAMS(p_int64(1)), &rows));
    expect_ok(db_flush(db));
    cr_expect_eq(rows.count, 1);
    expect_ok(db_queue_query(db, &HAS, PARAMS(p_int64(1)), &rows));
    expect_ok(db_commit(db));
    cr_expect_eq(rows.count, 1);
    expect_ok(db_commit(db));
    db_rollback(db);
    cr_expect(has(db, 1));
}

Test(transaction, a_rollback_leaves_the_place_for_queued_rows_alone)
{
    SCOPED(db) *db = given_things();
    struct rows rows;
    expect_ok(db_queue_query(db, &HAS, PARAMS(p_int64(1)), &rows));
    db_rollback(db);
    cr_expect_null(rows.result);
    expect_ok(db_begin(db));
    expect_ok(db_queue_query(db, &HAS, PARAMS(p_int64(1)), &rows));
    db_rollback(db);
    cr_expect_null(rows.result);
    cr_expect_not(has(db, 1));
}
