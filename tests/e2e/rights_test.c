// What the running services' database roles may do: history is added to and read, and nothing else.
// That they can do all that they need shows every other test here.

#include "lib/base/macros.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *service; // its role's URL is in BARO_X_SERVICE_URL
    const char *table;
    const char *column;
    bool changes; // rows may change, but never go
} KEPT[] = {
    {"USER",    "wallet",              "balance",      true },
    {"USER",    "wallet_history",      "amount",       false},
    {"USER",    "wallet_order_entry",  "amount",       false},
    {"PRODUCT", "hold",                "quantity",     true },
    {"PRODUCT", "stock_movement",      "delta",        false},
    {"ORDER",   "orders",              "total_amount", true },
    {"ORDER",   "order_item",          "quantity",     false},
    {"ORDER",   "order_history",       "status",       false},
    {"ORDER",   "payment",             "amount",       true },
    {"ORDER",   "payment_history",     "to_status",    false},
    {"COUPON",  "user_coupon",         "rank",         true },
    {"COUPON",  "user_coupon_history", "at",           false},
};

static const char *const SERVICES[] = {"USER", "PRODUCT", "ORDER", "COUPON"};

static const char *url_of(const char *service)
{
    char name[64];
    snprintf(name, sizeof name, "BARO_%s_SERVICE_URL", service);
    const char *url = getenv(name);
    cr_assert(url, "%s is not set", name);
    return url;
}

static bool may(const char *service, const char *sql)
{
    SCOPED(db) *db = db_create(url_of(service), "e2e rights");
    struct status st = db_script(db, sql);
    if (!failed(st))
        return true;
    cr_assert(strstr(st.message, "permission denied") || strstr(st.message, "must be owner"),
              "%s: %s", sql, st.message);
    return false;
}

// "VERB table REST", as the role of the table's service.
static bool may_do(size_t row, const char *verb, const char *rest)
{
    char sql[256];
    snprintf(sql, sizeof sql, "%s %s %s", verb, KEPT[row].table, rest);
    return may(KEPT[row].service, sql);
}

Test(rights, history_is_added_to_and_never_changed)
{
    for (size_t i = 0; i < COUNT(KEPT); i++) {
        char change[96], copy[96];
        snprintf(change, sizeof change, "SET %s = %s WHERE false", KEPT[i].column, KEPT[i].column);
        snprintf(copy, sizeof copy, "(%s) SELECT %s FROM %s WHERE false", KEPT[i].column,
                 KEPT[i].column, KEPT[i].table);
        cr_expect(may_do(i, "SELECT count(*) FROM", ""), "%s", KEPT[i].table);
        cr_expect(may_do(i, "INSERT INTO", copy), "%s", KEPT[i].table);
        cr_expect_eq(may_do(i, "UPDATE", change), KEPT[i].changes, "%s", KEPT[i].table);
        cr_expect_not(may_do(i, "DELETE FROM", "WHERE false"), "%s", KEPT[i].table);
        cr_expect_not(may_do(i, "TRUNCATE", ""), "%s", KEPT[i].table);
        cr_expect_not(may_do(i, "DROP TABLE", ""), "%s", KEPT[i].table);
        cr_expect_not(may_do(i, "ALTER TABLE", "DISABLE TRIGGER kept"), "%s", KEPT[i].table);
        cr_expect_not(may_do(i, "CREATE TRIGGER mine BEFORE INSERT ON",
                             "EXECUTE FUNCTION baro_refuse_change()"),
                      "%s", KEPT[i].table);
    }
}

Test(rights, every_table_that_refuses_changes_is_known_here)
{
    int64_t refusing = 0;
    for (size_t i = 0; i < COUNT(SERVICES); i++)
        refusing += test_number(url_of(SERVICES[i]),
                                "SELECT count(*) FROM pg_trigger WHERE tgname = 'kept'");
    cr_assert_eq(refusing, (int64_t)COUNT(KEPT));
}

Test(rights, partitions_are_reached_through_their_parents_only)
{
    cr_expect(may("USER", "SELECT count(*) FROM wallet_history"));
    cr_expect_not(may("USER", "SELECT count(*) FROM wallet_history_default"));
    cr_expect_not(may("USER", "DELETE FROM wallet_history_default"));
    cr_expect_not(may("ORDER", "UPDATE orders_default SET total_amount = 0"));
    cr_expect_not(may("ORDER", "ALTER TABLE orders DETACH PARTITION orders_default"));
}

Test(rights, partitions_are_made_ahead_by_their_owner_for_the_service)
{
    cr_expect(may("USER", "SELECT baro_make_partitions('wallet_history', 14)"));
    cr_expect(may("ORDER", "SELECT baro_make_partitions('order_history', 14)"));
    cr_expect_geq(test_number(url_of("USER"), "SELECT count(*) FROM pg_inherits WHERE inhparent ="
                                              " 'wallet_history'::regclass"),
                  16);
    cr_expect_not(may("USER", "SELECT * FROM wallet_history_default"));
}

Test(rights, services_make_nothing_of_their_own)
{
    for (size_t i = 0; i < COUNT(SERVICES); i++) {
        cr_expect_not(may(SERVICES[i], "CREATE TABLE mine (id bigint)"), "%s", SERVICES[i]);
        cr_expect_not(may(SERVICES[i], "CREATE TEMPORARY TABLE mine (id bigint)"), "%s",
                      SERVICES[i]);
        cr_expect_not(may(SERVICES[i], "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz"
                                       " LANGUAGE sql STABLE AS 'SELECT now()'"),
                      "%s", SERVICES[i]);
        cr_expect_not(may(SERVICES[i], "UPDATE migration SET checksum = ''"), "%s", SERVICES[i]);
    }
}

Test(rights, no_service_reaches_the_database_of_another)
{
    static const char *const DATABASES[] = {"baro_user", "baro_product", "baro_order",
                                            "baro_coupon"};
    for (size_t i = 0; i < COUNT(SERVICES); i++)
        for (size_t k = 0; k < COUNT(DATABASES); k++) {
            char url[512];
            snprintf(url, sizeof url, "%s", url_of(SERVICES[i]));
            char *own = strrchr(url, '/') + 1;
            bool is_own = strcmp(own, DATABASES[k]) == 0;
            strcpy(own, DATABASES[k]);
            SCOPED(db) *db = db_create(url, "e2e rights");
            cr_expect_eq(!failed(db_script(db, "SELECT 1")), is_own, "%s and %s", SERVICES[i],
                         DATABASES[k]);
        }
}

Test(rights, services_are_nobody_on_the_server)
{
    static const char *const GREEDY[] = {
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE SCHEMA mine",
        "ALTER SYSTEM SET log_statement = 'all'",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "COPY (SELECT 1) TO '/tmp/mine'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_reload_conf()",
        "SET SESSION AUTHORIZATION postgres",
        "SET ROLE postgres",
        "SET session_replication_role = replica", // would switch triggers off
        "ALTER TABLE migration OWNER TO CURRENT_USER",
        "CREATE EXTENSION IF NOT EXISTS dblink",
    };
    for (size_t i = 0; i < COUNT(SERVICES); i++) {
        char owner[64];
        const char *from = strstr(url_of(SERVICES[i]), "://") + 3;
        snprintf(owner, sizeof owner, "SET ROLE %.*s",
                 (int)(strcspn(from, "@") - strlen("_service")), from);
        cr_expect_not(may(SERVICES[i], owner), "%s becomes its owner", SERVICES[i]);
        for (size_t k = 0; k < COUNT(GREEDY); k++)
            cr_expect_not(may(SERVICES[i], GREEDY[k]), "%s may %s", SERVICES[i], GREEDY[k]);
    }
}
