// Who makes a service's tables, and who waits for them.

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "lib/service/tables.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct migration migrations[] = {
    {"0001_fact.sql", "CREATE TABLE fact (id bigint)"}
};
static const size_t migration_count = COUNT(migrations);
static const struct service_definition definition = {
    .name = "test", .migrations = migrations, .migration_count = &migration_count};

static struct service_settings settings_for(const char *url, enum tables_mode mode)
{
    return (struct service_settings){
        .database_url = url, .migrate_url = "", .tables = mode, .start_wait_ms = 300};
}

Test(tables, are_waited_for_by_who_may_not_make_them)
{
    SCOPED(arena) *arena = arena_create();
    const char *url = test_database("tables");
    const struct service_settings waiting = settings_for(url, TABLES_WAIT);
    struct status st = tables_prepare(&waiting, &definition, arena);
    cr_assert(failed(st));
    cr_expect_eq(test_number(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);

    const struct service_settings making = settings_for(url, TABLES_ONLY);
    cr_assert(!failed(tables_prepare(&making, &definition, arena)));
    cr_assert(!failed(tables_prepare(&waiting, &definition, arena)));
}

// The same database, as a role that owns nothing in it.
static const char *as_waiting(struct arena *arena, const char *url)
{
    SCOPED(db) *db = db_create(url, "test");
    test_script(db, "DROP ROLE IF EXISTS tables_waiting; CREATE ROLE tables_waiting LOGIN");
    return text_printf(arena, "postgresql://tables_waiting%s", strchr(url, '@'));
}

Test(tables, are_seen_by_the_role_that_waits_and_owns_nothing)
{
    SCOPED(arena) *arena = arena_create();
    const char *url = test_database("tables"), *own = as_waiting(arena, url);
    struct service_settings settings = settings_for(own, TABLES_ONLY);
    settings.migrate_url = url;
    cr_assert(!failed(tables_prepare(&settings, &definition, arena)));

    const struct service_settings waiting = settings_for(own, TABLES_WAIT);
    struct status st = tables_prepare(&waiting, &definition, arena);
    cr_expect(!failed(st), "%s", st.message);
    cr_expect_eq(test_number(own, "SELECT has_table_privilege('migration', 'INSERT')::int"), 0);
}

Test(tables, of_an_older_version_are_not_enough)
{
    static const struct migration newer[] = {
        {"0001_fact.sql",  "CREATE TABLE fact (id bigint)" },
        {"0002_other.sql", "CREATE TABLE other (id bigint)"},
    };
    static const size_t newer_count = COUNT(newer);
    SCOPED(arena) *arena = arena_create();
    const struct service_definition next = {
        .name = "test", .migrations = newer, .migration_count = &newer_count};
    const char *url = test_database("tables");
    const struct service_settings making = settings_for(url, TABLES_MAKE);
    cr_assert(!failed(tables_prepare(&making, &definition, arena)));

    const struct service_settings waiting = settings_for(url, TABLES_WAIT);
    struct status st = tables_prepare(&waiting, &next, arena);
    cr_assert_eq(st.code, STATUS_FAILED_PRECONDITION);
    cr_expect_str_eq(st.message, "migration 0002_other.sql is not applied yet");
    cr_expect(!failed(tables_prepare(&waiting, &definition, arena)));
}

Test(tables, have_three_words)
{
    enum tables_mode mode;
    cr_expect(tables_mode_read("start", &mode) && mode == TABLES_MAKE);
    cr_expect(tables_mode_read("only", &mode) && mode == TABLES_ONLY);
    cr_expect(tables_mode_read("wait", &mode) && mode == TABLES_WAIT);
    cr_expect(!tables_mode_read("", &mode));
}
