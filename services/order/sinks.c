// To add a sink: a row of the table, and a file with its open, deliver and close.

#include "services/order/sinks.h"

#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/memory.h"
#include "lib/service/jobs.h"
#include "services/order/courier.h"
#include "services/order/kafka.h"
#include "services/order/webhook.h"

#include <stdlib.h>
#include <string.h>

enum { PERIOD_MS = 200 };

static bool has_kafka(const struct order_settings *settings)
{
    return settings->kafka.brokers && settings->kafka.brokers[0];
}

static bool has_webhook(const struct order_settings *settings)
{
    return settings->webhook.url && settings->webhook.url[0];
}

static struct status open_kafka(const struct order_settings *settings, void **sink)
{
    struct kafka *kafka = NULL;
    struct status st = kafka_open(&settings->kafka, &kafka);
    *sink = kafka;
    return st;
}

static struct status open_webhook(const struct order_settings *settings, void **sink)
{
    struct webhook *webhook = NULL;
    struct status st = webhook_open(&settings->webhook, &webhook);
    *sink = webhook;
    return st;
}

static int64_t kafka_timeout_ms(const struct order_settings *settings)
{
    return settings->kafka.timeout_ms;
}

static int64_t webhook_timeout_ms(const struct order_settings *settings)
{
    return settings->webhook.timeout_ms;
}

static void close_kafka(void *sink)
{
    kafka_close(sink);
}

static void close_webhook(void *sink)
{
    webhook_close(sink);
}

// clang-format off
static const struct sink {
    const char *name;
    const char *job;
    size_t lot_max;
    bool (*configured)(const struct order_settings *settings);
    int64_t (*timeout_ms)(const struct order_settings *settings);
    struct status (*open)(const struct order_settings *settings, void **sink);
    void (*deliver)(void *sink, struct lot *lot);
    void (*close)(void *sink);
} SINKS[] = {
    {"kafka",   "deliver_kafka",   500,
     has_kafka,   kafka_timeout_ms,   open_kafka,   kafka_deliver,   close_kafka},
    {"webhook", "deliver_webhook", 256,
     has_webhook, webhook_timeout_ms, open_webhook, webhook_deliver, close_webhook},
};
// clang-format on

// A configured sink of this replica.
struct route {
    const struct sink *sink;
    void *opened;
    struct courier *courier;
    struct job job;
    struct job_runner *runner;
};

struct sinks {
    const char *database_url;
    struct route routes[COUNT(SINKS)];
    size_t count;
};

struct status sinks_check(const struct order_settings *settings)
{
    return has_webhook(settings) ? webhook_check(&settings->webhook) : OK;
}

bool sinks_is_configured(const struct order_settings *settings, const char *name)
{
    for (size_t i = 0; i < COUNT(SINKS); i++)
        if (strcmp(SINKS[i].name, name) == 0)
            return SINKS[i].configured(settings);
    return false;
}

struct status sinks_behind(const struct order_settings *settings, struct db *db, int64_t *behind_ms)
{
    const char *names[COUNT(SINKS)] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < COUNT(SINKS); i++)
        if (SINKS[i].configured(settings))
            names[count++] = SINKS[i].name;
    return store_sinks_behind(db, names, count, behind_ms);
}

static struct status run(void *context, struct db *db, struct arena *arena)
{
    (void)arena;
    return courier_run(((struct route *)context)->courier, db);
}

static struct status start_route(struct sinks *sinks, const struct sink *sink,
                                 const struct order_settings *settings, const char *owner)
{
    struct route *route = &sinks->routes[sinks->count];
    struct status st = sink->open(settings, &route->opened);
    if (failed(st))
        return st;
    sinks->count++;
    route->sink = sink;
    route->courier = courier_create(&(struct sink_port){.name = sink->name,
                                                        .lot_max = sink->lot_max,
                                                        .timeout_ms = sink->timeout_ms(settings),
                                                        .deliver = sink->deliver,
                                                        .sink = route->opened},
                                    &settings->delivery, owner);
    route->job = (struct job){.name = sink->job, .period_ms = PERIOD_MS, .run = run};
    route->runner = job_runner_start(&route->job, 1, route, sinks->database_url, NULL);
    return OK;
}

struct status sinks_start(const struct order_settings *settings, const char *owner,
                          struct sinks **out)
{
    struct status st = OK;
    struct sinks *sinks = memory_alloc(sizeof(*sinks));
    sinks->database_url = settings->common.database_url;
    for (size_t i = 0; i < COUNT(SINKS) && !failed(st); i++)
        if (SINKS[i].configured(settings))
            st = start_route(sinks, &SINKS[i], settings, owner);
    if (failed(st))
        sinks_stop(sinks);
    else
        *out = sinks;
    return st;
}

static void end_route(struct route *route, struct db *db)
{
    job_runner_stop(route->runner);
    struct status st = courier_release(route->courier, db);
    if (failed(st))
        log_warn("a sink's lease is not given back: it runs out by itself", log_status(st));
    courier_destroy(route->courier);
    route->sink->close(route->opened);
}

void sinks_stop(struct sinks *sinks)
{
    if (!sinks)
        return;
    SCOPED(db) *db = db_create(sinks->database_url, "sinks");
    for (size_t i = 0; i < sinks->count; i++)
        courier_stop(sinks->routes[i].courier);
    for (size_t i = 0; i < sinks->count; i++)
        end_route(&sinks->routes[i], db);
    free(sinks);
}
