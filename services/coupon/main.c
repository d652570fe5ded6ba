// baro-coupon: campaigns and the coupons of users.

#include "lib/base/macros.h"
#include "services/coupon/service.h"

#include <stddef.h>

extern const struct migration coupon_migrations[];
extern const size_t coupon_migration_count;

#define AT(field) offsetof(struct coupon_settings, field)

// clang-format off
static const struct setting SETTINGS[] = {
    SERVICE_LISTENS("tcp://127.0.0.1:7104", "tcp://127.0.0.1:7204", "127.0.0.1:7304"),
    {"BARO_ORDER_RPC",    SETTING_PEERS,       "tcp://127.0.0.1:7103", AT(order_rpc),         0,   0,       "the order service, asked before a reservation is given back"},
    {"BARO_ORDER_BUS",    SETTING_PEERS,       "tcp://127.0.0.1:7203", AT(order_bus),         0,   0,       "where the order service publishes saga commands"},
    {"BARO_SWEEP_PERIOD", SETTING_DURATION_MS, "30s",                  AT(sweep_period_ms),   100, 3600000, "how often expired coupons and reservations are looked for"},
};
// clang-format on

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct coupon_settings settings;
    struct coupon_service service = {.settings = &settings};
    struct job jobs[COUPON_JOB_COUNT];

    service_settings_load_or_exit(argc, argv, SETTINGS, COUNT(SETTINGS), arena, &settings);
    coupon_jobs_init(&settings, jobs);
    return service_run(&settings.common, &(struct service_definition){
                                             .name = "coupon",
                                             .methods = &coupon_methods,
                                             .migrations = coupon_migrations,
                                             .migration_count = &coupon_migration_count,
                                             .jobs = jobs,
                                             .job_count = COUNT(jobs),
                                             .command_source = settings.order_bus,
                                             .service = &service,
                                             .started = coupon_service_start,
                                             .stopping = coupon_service_stop,
                                             .stopped = coupon_service_destroy,
                                         });
}
