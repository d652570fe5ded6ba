// baro-product: catalogue, stock and holds.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/bus/consumer.h"
#include "lib/bus/doorbell.h"
#include "lib/service/jobs.h"
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

// What is paid is popular within 2 s (SPEC 6), also when the doorbell was not heard and the gateway
// remembers for a second. On a thread of its own: a slow sweep must not delay it.
enum { LISTEN_PERIOD_MS = 100, ECHO_MS = 1000, SLOW_MS = 900, LOTS_MAX = 1000 };

// What main makes and service_run's hooks need.
struct process {
    struct product_service service; // first: handlers and jobs see it
    const struct product_settings *settings;
    struct rpc_client *orders;
    struct event_feed feed;
    struct doorbell *doorbell;
    struct consumer popularity;
    struct job_runner *consuming;
};

static struct status consume(void *arg, struct db *db, struct arena *arena)
{
    struct process *process = arg;
    if (!doorbell_is_due(process->doorbell, clock_monotonic_us()))
        return OK;
    return consumer_run(&process->popularity, db, arena, LOTS_MAX);
}

static const struct job CONSUME = {"count_sales", LISTEN_PERIOD_MS, consume, .apart = true};

static struct status listen_to_orders(struct process *process)
{
    static const char *const kinds[] = {"order.paid", "order.refunded"};
    return doorbell_open(&(struct doorbell_options){.addresses = process->settings->order_bus,
                                                    .secret = process->settings->common.secret,
                                                    .topic = "order.events",
                                                    .kinds = kinds,
                                                    .kind_count = COUNT(kinds),
                                                    .echo_ms = ECHO_MS,
                                                    .slow_ms = SLOW_MS},
                         &process->doorbell);
}

static void start_consuming(struct process *process)
{
    process->feed = (struct event_feed){process->orders, "baro.order.Order/FetchEvents"};
    process->popularity = (struct consumer){
        .name = "popularity",
        .source = event_source_of(&process->feed),
        .apply = count_sales,
        .context = &process->service,
    };
    process->consuming =
        job_runner_start(&CONSUME, 1, process, process->settings->common.database_url, NULL);
}

static struct status started(void *service, struct service_runtime *runtime)
{
    struct process *process = service;
    (void)runtime;
    process->orders = rpc_client_create(&(struct rpc_client_options){
        .service = "order",
        .addresses = process->settings->order_rpc,
        .secret = process->settings->common.secret,
    });
    process->service.orders = live_orders_of(process->orders);
    struct status st = listen_to_orders(process);
    if (!failed(st))
        start_consuming(process);
    return st;
}

static void stopping(void *service)
{
    struct process *process = service;
    job_runner_stop(process->consuming);
    doorbell_close(process->doorbell);
    rpc_client_destroy(process->orders);
    process->orders = NULL;
}

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct product_settings settings;
    struct process process = {.settings = &settings};
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
                                             .service = &process.service,
                                             .started = started,
                                             .stopping = stopping,
                                         });
}
