// A database for each test process, named after the process, so that a later one can tell whether
// its owner still lives. DROP DATABASE costs a checkpoint: each new test removes at most one of the
// databases that killed tests left behind.

#include "tests/support/database.h"

#include "lib/db/schema.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 64, URL_SIZE = 512, OWN_MAX = 16 };

// The databases of this process; forked children leave them alone.
static struct {
    pid_t owner;
    size_t count;
    char names[OWN_MAX][NAME_SIZE];
} own;
static char own_urls[OWN_MAX][URL_SIZE];

static const struct statement LEFTOVERS = {
    "test_leftovers", "SELECT datname::text, split_part(datname, '_', 2)::bigint FROM pg_database"
                      " WHERE datname ~ '^test_[0-9]+_' ORDER BY oid"};

static const char *required(const char *variable)
{
    const char *value = getenv(variable);
    cr_assert(value && *value, "%s is not set: run the tests with `make test`", variable);
    return value;
}

static struct db *admin(void)
{
    return db_create(required("BARO_ADMIN_DATABASE_URL"), "test admin");
}

static struct status drop(struct db *db, const char *name)
{
    char sql[2 * NAME_SIZE];
    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS \"%s\" WITH (FORCE)", name);
    return db_script(db, sql);
}

static void drop_one_leftover(struct db *db)
{
    struct rows rows;
    struct status st = db_query(db, &LEFTOVERS, NO_PARAMS, &rows);
    cr_assert(!failed(st), "cannot reach the test server: %s", st.message);
    for (size_t i = 0; i < rows.count; i++) {
        if (kill((pid_t)rows_int64(&rows, i, 1), 0) == 0)
            continue;
        char name[NAME_SIZE];
        snprintf(name, sizeof(name), "%s", rows_text(&rows, i, 0));
        (void)drop(db, name); // another test may be faster
        return;
    }
}

static void drop_own(void)
{
    if (own.owner != getpid())
        return;
    SCOPED(db) *db = admin();
    for (size_t i = 0; i < own.count; i++)
        (void)drop(db, own.names[i]);
}

// The admin URL with another database: what stands between the last slash and the question mark.
static void make_url(const char *name, char *url)
{
    const char *base = required("BARO_ADMIN_DATABASE_URL");
    const char *query = strchr(base, '?');
    const char *end = query ? query : base + strlen(base);
    while (end > base && end[-1] != '/')
        end--;
    snprintf(url, URL_SIZE, "%.*s%s%s", (int)(end - base), base, name, query ? query : "");
}

const char *test_database(const char *name)
{
    if (own.owner != getpid()) {
        own.owner = getpid();
        own.count = 0;
        atexit(drop_own);
    }
    cr_assert(own.count < OWN_MAX, "too many databases for one test");
    size_t index = own.count;
    snprintf(own.names[index], NAME_SIZE, "test_%d_%zu_%s", (int)getpid(), index, name);
    make_url(own.names[index], own_urls[index]);
    SCOPED(db) *db = admin();
    drop_one_leftover(db);
    struct status st = drop(db, own.names[index]);
    cr_assert(!failed(st), "%s", st.message);
    char sql[2 * NAME_SIZE];
    snprintf(sql, sizeof(sql), "CREATE DATABASE \"%s\"", own.names[index]);
    test_script(db, sql);
    own.count++;
    return own_urls[index];
}

struct db *test_db(const char *name)
{
    struct db *db = db_create(test_database(name), "test");
    struct status st = schema_prepare(db);
    cr_assert(!failed(st), "%s", st.message);
    return db;
}

const char *test_admin_url(const char *name)
{
    static char url[URL_SIZE];
    make_url(name, url);
    return url;
}

const char *test_redis_url(void)
{
    return required("BARO_REDIS_URL");
}

void test_script(struct db *db, const char *sql)
{
    struct status st = db_script(db, sql);
    cr_assert(!failed(st), "%s", st.message);
}

int64_t test_number(const char *url, const char *sql)
{
    SCOPED(db) *db = db_create(url, "test number");
    const struct statement statement = {"test_number", sql};
    struct rows rows;
    struct status st = db_query(db, &statement, NO_PARAMS, &rows);
    cr_assert(!failed(st), "%s", st.message);
    cr_assert(rows.count > 0, "no row: %s", sql);
    return rows_int64(&rows, 0, 0);
}
