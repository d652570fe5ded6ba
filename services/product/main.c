// baro-product: catalogue, stock and holds.

#include "lib/base/macros.h"
#include "services/product/service.h"

#include <stddef.h>

extern const struct migration product_migrations[];
extern const size_t product_migration_count;

#define AT(field) offsetof(struct product_settings, field)

// clang-format off
static const struct setting SETTINGS[] = {
    SERVICE_LISTENS("tcp://127.0.0.1:7102", "tcp://127.0.0.1:7202", "127.0.0.1:7302"),
    {"BARO_ORDER_RPC",    SETTING_PEERS,       "tcp://127.0.0.1:7103", AT(order_rpc),         0,   0,       "where the order service says which orders live"},
    {"BARO_ORDER_BUS",    SETTING_PEERS,       "tcp://127.0.0.1:7203", AT(order_bus),         0,   0,       "where the order service publishes saga commands"},
    {"BARO_SWEEP_PERIOD", SETTING_DURATION_MS, "30s",                  AT(sweep_period_ms),   100, 3600000, "how often expired holds are looked for"},
};
// clang-format on

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct product_settings settings;
    struct product_service service = {.settings = &settings};
    struct job jobs[PRODUCT_JOB_COUNT];

    service_settings_load_or_exit(argc, argv, SETTINGS, COUNT(SETTINGS), arena, &settings);
    product_jobs_init(&settings, jobs);
    return service_run(&settings.common, &(struct service_definition){
                                             .name = "product",
                                             .methods = &product_methods,
                                             .migrations = product_migrations,
                                             .migration_count = &product_migration_count,
                                             .jobs = jobs,
                                             .job_count = COUNT(jobs),
                                             .command_source = settings.order_bus,
                                             .service = &service,
                                             .started = product_service_start,
                                             .stopping = product_service_stop,
                                         });
}
