// What every service database has before its migrations run.

#include "lib/base/text.h"
#include "lib/base/timeid.h"
#include "lib/db/rights.h"
#include "lib/db/schema.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void set_clock(struct db *db, const char *time)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE"
             " AS $$SELECT '%s'::timestamptz$$",
             time);
    test_script(db, sql);
}

// A database with the functions, on the last microsecond of a November.
static const char *given_schema(void)
{
    const char *url = test_database("schema");
    SCOPED(db) *db = db_create(url, "test");
    cr_assert(!failed(schema_prepare(db)));
    set_clock(db, "2026-11-30 23:59:59.999999+00");
    return url;
}

static struct db *given_partitioned_table(const char *url)
{
    struct db *db = db_create(url, "test");
    test_script(db, "CREATE TABLE fact (id bigint PRIMARY KEY) PARTITION BY RANGE (id);"
                    "CREATE TABLE fact_default PARTITION OF fact DEFAULT;"
                    "SELECT baro_make_partitions('fact', 2, 80)");
    return db;
}

// The partition that a row with the first id of this moment goes to.
static void expect_partition(struct db *db, const char *url, const char *time, int64_t before,
                             const char *partition)
{
    SCOPED(arena) *arena = arena_create();
    int64_t us;
    cr_assert(text_parse_time(time, &us), "%s", time);
    int64_t id = time_id_floor(us) - before;
    test_script(db, text_printf(arena, "INSERT INTO fact VALUES (%" PRId64 ")", id));
    cr_assert_eq(test_number(url, text_printf(arena,
                                              "SELECT count(*) FROM fact WHERE id = %" PRId64
                                              " AND tableoid = '%s'::regclass",
                                              id, partition)),
                 1, "%s - %" PRId64, time, before);
}

Test(partitions, take_the_ids_of_their_months_and_no_others)
{
    const char *url = given_schema();
    SCOPED(db) *db = given_partitioned_table(url);
    expect_partition(db, url, "2026-11-01T00:00:00Z", 0, "fact_2026_11");
    expect_partition(db, url, "2026-11-01T00:00:00Z", 1, "fact_default");
    expect_partition(db, url, "2026-12-01T00:00:00Z", 0, "fact_2026_12");
    expect_partition(db, url, "2026-12-01T00:00:00Z", 1, "fact_2026_11");
    expect_partition(db, url, "2027-01-15T12:00:00Z", 0, "fact_2027_01");
    expect_partition(db, url, "2027-02-01T00:00:00Z", 0, "fact_default");
}

Test(partitions, are_made_ahead_and_those_that_exist_stay)
{
    static const char PARTITIONS[] =
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'fact'::regclass";
    static const char FILLED[] = "SELECT count(*) FROM pg_class WHERE relname ~ '^fact_2' AND "
                                 "'fillfactor=80' = ANY (reloptions)";
    const char *url = given_schema();
    SCOPED(db) *db = given_partitioned_table(url);
    cr_assert_eq(test_number(url, PARTITIONS), 4);
    test_script(db, "INSERT INTO fact VALUES (1); SELECT baro_make_partitions('fact', 2, 80)");
    cr_assert_eq(test_number(url, PARTITIONS), 4);
    set_clock(db, "2026-12-01 00:00:00+00");
    test_script(db, "SELECT baro_make_partitions('fact', 2, 80)");
    cr_assert_eq(test_number(url, PARTITIONS), 5);
    cr_assert_eq(test_number(url, FILLED), 4);
    cr_assert_eq(test_number(url, "SELECT count(*) FROM fact"), 1);
}

Test(schema, lets_tables_refuse_changes)
{
    const char *url = given_schema();
    SCOPED(db) *db = db_create(url, "test");
    test_script(db, "CREATE TABLE fact (id bigint); INSERT INTO fact VALUES (1);"
                    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON fact"
                    " FOR EACH ROW EXECUTE FUNCTION baro_refuse_change()");
    struct status st = db_script(db, "DELETE FROM fact");
    cr_assert(failed(st));
    cr_assert_str_eq(st.message, "rows of fact are kept: no DELETE (42501)");
    cr_assert(failed(db_script(db, "UPDATE fact SET id = 2")));
    cr_assert_eq(test_number(url, "SELECT id FROM fact"), 1);
}

// What the service's role may do with a table: "SELECT, INSERT" ..
static bool role_may(const char *url, const char *privileges, const char *table)
{
    SCOPED(arena) *arena = arena_create();
    return test_number(url, text_printf(arena,
                                        "SELECT ((SELECT array_agg(p::text) FROM unnest('{SELECT,"
                                        "INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS p WHERE"
                                        " has_table_privilege('baro_user_service', '%s', p))"
                                        " = '{%s}'::text[])::integer::bigint",
                                        table, privileges));
}

Test(schema, gives_the_service_what_its_tables_do_not_refuse)
{
    const char *url = given_schema();
    SCOPED(db) *db = db_create(url, "test");
    test_script(db, "CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY);"
                    "CREATE TABLE changing (id bigint); SELECT baro_keep('changing', 'DELETE');"
                    "CREATE TABLE history (id bigint);"
                    "SELECT baro_keep('history', 'UPDATE OR DELETE');"
                    "GRANT ALL ON history TO baro_user_service");
    for (int times = 0; times < 2; times++) {
        cr_assert(!failed(rights_grant(db, "baro_user_service")));
        cr_expect(role_may(url, "SELECT,INSERT,UPDATE,DELETE", "plain"));
        cr_expect(role_may(url, "SELECT,INSERT,UPDATE", "changing"));
        cr_expect(role_may(url, "SELECT,INSERT", "history"));
        // Readers of the outbox look how far its ids have come.
        cr_expect_eq(test_number(url, "SELECT count(*) FROM unnest('{USAGE,SELECT}'::text[]) AS p"
                                      " WHERE has_sequence_privilege('baro_user_service',"
                                      "                              'plain_id_seq', p)"),
                     2);
    }
    test_script(db, "CREATE TABLE later (id bigint)");
    cr_assert(!failed(rights_grant(db, "baro_user_service")));
    cr_expect(role_may(url, "SELECT,INSERT,UPDATE,DELETE", "later"));
}

Test(schema, knows_a_role_that_could_change_histories)
{
    const char *url = given_schema(), *role;
    bool excess = false;
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = db_create(url, "test");
    test_script(db, "CREATE TABLE history (id bigint);"
                    "SELECT baro_keep('history', 'UPDATE OR DELETE')");
    cr_assert(!failed(rights_role(db, arena, &role, &excess)));
    cr_assert_str_eq(role, "postgres");
    cr_assert(excess, "a superuser has every right");
    test_script(db, "SET ROLE baro_user_service");
    cr_assert(!failed(rights_role(db, arena, &role, &excess)));
    cr_assert_str_eq(role, "baro_user_service");
    cr_assert_not(excess);
}

static bool is_inlined(struct db *db, const struct statement *explain, const char *as)
{
    struct rows rows;
    cr_assert(!failed(db_query(db, explain, NO_PARAMS, &rows)));
    for (size_t row = 0; row < rows.count; row++)
        if (strstr(rows_text(&rows, row, 0), as))
            return true;
    return false;
}

Test(schema, clock_and_time_cost_no_call_of_a_function)
{
    static const struct statement now = {"now", "EXPLAIN (VERBOSE) SELECT baro_now()"};
    static const struct statement time = {
        "time", "EXPLAIN (VERBOSE) SELECT baro_time(u) FROM unnest('{1}'::bigint[]) AS u"};
    SCOPED(db) *db = test_db("schema");
    cr_expect(is_inlined(db, &now, "Output: statement_timestamp()"));
    cr_expect(is_inlined(db, &time, "Output: to_timestamp("));
}
