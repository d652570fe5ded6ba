// Migrations, the schema's functions, and blocks of ids.

#include "lib/db/ids.h"
#include "lib/db/migrate.h"
#include "lib/db/schema.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct migration TWO[] = {
    {"0001_thing.sql", "CREATE TABLE thing (id bigint); INSERT INTO thing VALUES (1);"},
    {"0002_more.sql",  "INSERT INTO thing VALUES (2); -- a comment at the end"        },
};

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

Test(migrate, each_file_is_applied_once_in_order)
{
    const char *url = test_database("migrate");
    SCOPED(db) *db = db_create(url, "test");
    expect_ok(migrate(db, TWO, 1));
    expect_ok(migrate(db, TWO, 2));
    expect_ok(migrate(db, TWO, 2));
    cr_expect_eq(test_number(url, "SELECT count(*) FROM thing"), 2);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM migration"), 2);
}

Test(migrate, a_changed_file_is_refused_by_name)
{
    const char *url = test_database("migrate");
    SCOPED(db) *db = db_create(url, "test");
    expect_ok(migrate(db, TWO, 2));
    const struct migration changed[] = {
        TWO[0], {"0002_more.sql", "INSERT INTO thing VALUES (3)"}
    };
    struct status st = migrate(db, changed, 2);
    cr_expect_eq(st.code, STATUS_FAILED_PRECONDITION);
    cr_expect(strstr(st.message, "0002_more.sql"), "%s", st.message);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM thing"), 2);
}

Test(migrate, a_failing_file_leaves_nothing_and_is_named)
{
    const char *url = test_database("migrate");
    SCOPED(db) *db = db_create(url, "test");
    const struct migration bad[] = {
        TWO[0], {"0002_bad.sql", "INSERT INTO thing VALUES (2); SELEKT"}
    };
    struct status st = migrate(db, bad, 2);
    cr_expect_eq(st.code, STATUS_INTERNAL);
    cr_expect(strstr(st.message, "0002_bad.sql"), "%s", st.message);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM thing"), 1);
    expect_ok(migrate(db, TWO, 2));
}

Test(migrate, a_file_that_ends_its_transaction_is_refused)
{
    SCOPED(db) *db = db_create(test_database("migrate"), "test");
    const struct migration bad[] = {
        {"0001_bad.sql", "CREATE TABLE x (); COMMIT"}
    };
    struct status st = migrate(db, bad, 1);
    cr_expect_eq(st.code, STATUS_INTERNAL);
    cr_expect(strstr(st.message, "0001_bad.sql"), "%s", st.message);
}

Test(migrate, what_a_newer_replica_applied_is_tolerated)
{
    SCOPED(db) *db = db_create(test_database("migrate"), "test");
    expect_ok(migrate(db, TWO, 2));
    expect_ok(migrate(db, TWO, 1));
}

// Several replicas that start at the same moment.
enum { REPLICAS = 6 };

struct replica {
    pthread_t thread;
    const char *url;
    struct ids *ids;
    int64_t values[5000];
    bool ok;
};

static void *run_migrations(void *context)
{
    struct replica *replica = context;
    SCOPED(db) *db = db_create(replica->url, "replica");
    replica->ok = !failed(schema_prepare(db)) && !failed(migrate(db, TWO, 2));
    return NULL;
}

static void *run_ids(void *context)
{
    struct replica *replica = context;
    SCOPED(db) *db = db_create(replica->url, "replica");
    replica->ok = true;
    for (size_t i = 0; i < 50 && replica->ok; i++)
        replica->ok = !failed(ids_take(replica->ids, db, 100, replica->values + 100 * i));
    return NULL;
}

static void run_together(struct replica *replicas, void *(*run)(void *))
{
    for (size_t i = 0; i < REPLICAS; i++)
        cr_assert_eq(pthread_create(&replicas[i].thread, NULL, run, &replicas[i]), 0);
    for (size_t i = 0; i < REPLICAS; i++)
        pthread_join(replicas[i].thread, NULL);
    for (size_t i = 0; i < REPLICAS; i++)
        cr_expect(replicas[i].ok, "replica %zu", i);
}

Test(migrate, replicas_that_start_together_apply_each_file_once)
{
    static struct replica replicas[REPLICAS];
    const char *url = test_database("migrate");
    for (size_t i = 0; i < REPLICAS; i++)
        replicas[i].url = url;
    run_together(replicas, run_migrations);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM thing"), 2);
}

Test(schema, time_that_a_test_has_set_is_left_alone)
{
    const char *url = test_database("schema");
    SCOPED(db) *db = db_create(url, "test");
    expect_ok(schema_prepare(db));
    test_script(db, "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE"
                    " AS 'SELECT baro_time(1000000)'");
    expect_ok(schema_prepare(db));
    cr_expect_eq(test_number(url, "SELECT baro_now()"), 1000000);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

Test(ids, threads_that_share_blocks_never_share_an_id)
{
    static struct replica replicas[REPLICAS];
    static int64_t all[REPLICAS * 5000];
    const char *url = test_database("ids");
    SCOPED(db) *db = db_create(url, "test");
    test_script(db, "CREATE SEQUENCE thing_id INCREMENT BY 1000");
    struct ids *ids = ids_create("thing_id");
    for (size_t i = 0; i < REPLICAS; i++) {
        replicas[i].url = url;
        replicas[i].ids = ids;
    }
    run_together(replicas, run_ids);
    for (size_t i = 0; i < REPLICAS; i++)
        memcpy(all + 5000 * i, replicas[i].values, sizeof(replicas[i].values));
    qsort(all, REPLICAS * 5000, sizeof(all[0]), compare);
    for (size_t i = 1; i < REPLICAS * 5000; i++)
        cr_assert_lt(all[i - 1], all[i]);
    cr_expect_leq(test_number(url, "SELECT last_value FROM thing_id"), 2 * REPLICAS * 5000);
    ids_destroy(ids);
}

Test(ids, more_than_a_block_can_be_taken_at_once)
{
    static int64_t values[2500];
    SCOPED(db) *db = db_create(test_database("ids"), "test");
    test_script(db, "CREATE SEQUENCE thing_id INCREMENT BY 1000");
    struct ids *ids = ids_create("thing_id");
    expect_ok(ids_take(ids, db, 2500, values));
    for (size_t i = 1; i < 2500; i++)
        cr_assert_lt(values[i - 1], values[i]);
    ids_destroy(ids);
}

Test(ids, an_id_of_a_rolled_back_transaction_is_not_given_again)
{
    SCOPED(db) *db = db_create(test_database("ids"), "test");
    test_script(db, "CREATE SEQUENCE thing_id INCREMENT BY 1000");
    struct ids *ids = ids_create("thing_id"), *after_crash = ids_create("thing_id");
    int64_t first = 0, second = 0, third = 0;
    expect_ok(db_begin(db));
    expect_ok(ids_take(ids, db, 1, &first));
    db_rollback(db);
    expect_ok(ids_take(ids, db, 1, &second));
    expect_ok(ids_take(after_crash, db, 1, &third));
    cr_expect(first != second && second != third && first != third);
    ids_destroy(ids);
    ids_destroy(after_crash);
}
