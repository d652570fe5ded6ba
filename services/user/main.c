// baro-user: accounts, tokens and wallets.

#include "lib/base/macros.h"
#include "services/user/service.h"

#include <stddef.h>
#include <stdio.h>

extern const struct migration user_migrations[];
extern const size_t user_migration_count;

#define AT(field) offsetof(struct user_settings, field)

// clang-format off
static const struct setting SETTINGS[] = {
    SERVICE_LISTENS("tcp://127.0.0.1:7101", "tcp://127.0.0.1:7201", "127.0.0.1:7301"),
    {"BARO_ORDER_BUS",      SETTING_PEERS,       "tcp://127.0.0.1:7203", AT(order_bus),         0, 0, "where the order service publishes saga commands"},
    {"BARO_ADMIN_EMAIL",    SETTING_TEXT,        "",                     AT(admin_email),       0, 0, "the first admin; empty: none"},
    {"BARO_ADMIN_PASSWORD", SETTING_SECRET,      "",                     AT(admin_password),    0, 0, "and its password"},
    {"BARO_JWT_KEY",        SETTING_SECRET,      "",                     AT(jwt_key),           0, 0, "PEM private key on P-256 that signs tokens; empty: one is made and kept in the database"},
};
// clang-format on

static struct status started(void *service, struct service_runtime *runtime)
{
    struct user_service *user = service;
    user_service_start(user);
    SCOPED(db) *db = db_create(user->settings->common.database_url, "baro-user-start");
    return status_keep(user_service_bootstrap(user, db), service_arena(runtime));
}

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct user_settings settings;
    struct user_service service = {.settings = &settings};

    service_settings_load_or_exit(argc, argv, SETTINGS, COUNT(SETTINGS), arena, &settings);
    struct status st = user_settings_check(&settings);
    if (failed(st)) {
        fprintf(stderr, "baro-user: %s %s\n", st.field, st.message);
        return EXIT_BAD_SETTING;
    }
    return service_run(&settings.common, &(struct service_definition){
                                             .name = "user",
                                             .methods = &user_methods,
                                             .migrations = user_migrations,
                                             .migration_count = &user_migration_count,
                                             .jobs = user_jobs,
                                             .job_count = user_job_count,
                                             .command_source = settings.order_bus,
                                             .service = &service,
                                             .started = started,
                                             .stopped = user_service_destroy,
                                         });
}
