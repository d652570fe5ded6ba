#include "tests/integration/baroctl/office.h"

#include "lib/base/macros.h"
#include "lib/db/migrate.h"
#include "tests/support/database.h"
#include "tests/support/rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 16 };

// Made from the services' migrations (deploy/local/embed).
extern const struct migration user_migrations[], product_migrations[], order_migrations[],
    coupon_migrations[];
extern const size_t user_migration_count, product_migration_count, order_migration_count,
    coupon_migration_count;

static const struct {
    const char *service, *variable;
    const struct migration *migrations;
    const size_t *count;
} SERVICES[] = {
    {"user",    "BARO_USER_DATABASE_URL",    user_migrations,    &user_migration_count   },
    {"product", "BARO_PRODUCT_DATABASE_URL", product_migrations, &product_migration_count},
    {"order",   "BARO_ORDER_DATABASE_URL",   order_migrations,   &order_migration_count  },
    {"coupon",  "BARO_COUPON_DATABASE_URL",  coupon_migrations,  &coupon_migration_count },
};

static const char *url_of(const char *service)
{
    size_t i = 0;
    while (strcmp(SERVICES[i].service, service) != 0) {
        i++;
        assert(i < COUNT(SERVICES));
    }
    return getenv(SERVICES[i].variable);
}

void office_open(void)
{
    for (size_t i = 0; i < COUNT(SERVICES); i++)
        setenv(SERVICES[i].variable,
               rig_database(SERVICES[i].service, SERVICES[i].migrations, *SERVICES[i].count), 1);
}

int64_t office_number(const char *service, const char *sql)
{
    return test_number(url_of(service), sql);
}

void office_run(const char *service, const char *sql)
{
    SCOPED(db) *db = db_create(url_of(service), "office");
    test_script(db, sql);
}

int office_baroctl(const char *line)
{
    char text[256], *words[WORDS_MAX] = {NULL}, *rest = text;
    int count = 0;
    snprintf(text, sizeof(text), "baroctl %s", line);
    for (char *word; (word = strtok_r(rest, " ", &rest)) && count < WORDS_MAX;)
        words[count++] = word;
    return command_line(count, words);
}
