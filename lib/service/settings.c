// The settings that every service has.

#include "lib/service/service.h"

#include "lib/base/faults.h"
#include "lib/base/instance.h"
#include "lib/base/macros.h"
#include "lib/base/termination.h"
#include "lib/service/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct service_settings, field)

// clang-format off
static const struct setting COMMON[] = {
    SERVICE_LISTENS("tcp://127.0.0.1:7100", "tcp://127.0.0.1:7200", "127.0.0.1:7300"),
    {"BARO_DATABASE_URL",  SETTING_POSTGRES,    NULL,                     AT(database_url),    0,  0,       "this service's PostgreSQL database"},
    {"BARO_MIGRATE_URL",   SETTING_POSTGRES,    "",                       AT(migrate_url),     0,  0,       "the same database as its owner, who makes the tables; empty: BARO_DATABASE_URL"},
    {"BARO_MIGRATE",       SETTING_TEXT,        "start",                  AT(migrate),         0,  0,       "start: make the tables, then serve; only: make them and end; wait: serve when they are there"},
    {"BARO_REDIS_URL",     SETTING_REDIS,       "redis://127.0.0.1:6379", AT(redis_url),       0,  0,       "hints that the replicas share; by default redis://127.0.0.1:6379"},
    {"BARO_SECRET",        SETTING_SECRET,      NULL,                     AT(secret),          16, 0,       "shared by all processes, 16 characters or more"},
    {"BARO_TLS_CERT",      SETTING_TEXT,        "",                       AT(tls.certificate), 0,  0,       "PEM file of the certificate that tls+tcp:// between processes shows; empty: no TLS"},
    {"BARO_TLS_KEY",       SETTING_TEXT,        "",                       AT(tls.key),         0,  0,       "PEM file of its key"},
    {"BARO_TLS_CA",        SETTING_TEXT,        "",                       AT(tls.authority),   0,  0,       "PEM file of the authority that signs for Baro's processes and for nobody else"},
    {"BARO_TLS_NAME",      SETTING_TEXT,        "baro",                   AT(tls.name),        0,  0,       "the DNS name that all their certificates bear"},
    {"BARO_INSTANCE",      SETTING_TEXT,        "",                       AT(instance),        0,  0,       "name of this replica; empty: host and process id"},
    {"BARO_LOG_LEVEL",     SETTING_LOG_LEVEL,   "info",                   AT(log_level),       0,  0,       "debug, info, warn, error or off"},
    {"BARO_TRACE_URL",     SETTING_TEXT,        "",                       AT(trace_url),       0,  0,       "collector of spans (OTLP over HTTP), such as http://127.0.0.1:4318; empty: none"},
    {"BARO_WRITE_WORKERS", SETTING_INTEGER,     "1",                      AT(write_workers),   1,  64,      "database connections that write"},
    {"BARO_READ_WORKERS",  SETTING_INTEGER,     "1",                      AT(read_workers),    1,  64,      "database connections that read"},
    {"BARO_BATCH_MAX",     SETTING_INTEGER,     "256",                    AT(batch_max),       1,  4096,    "calls in one transaction"},
    {"BARO_QUEUE_MAX",     SETTING_INTEGER,     "2048",                   AT(queue_max),       1,  65536,   "calls that may wait, per method"},
    {"BARO_DRAIN",         SETTING_DURATION_MS, "20s",                    AT(drain_ms),        0,  600000,  "how long a stop waits for calls that run"},
    {"BARO_FAULT_PANEL",   SETTING_BOOLEAN,     "off",                    AT(fault_panel),     0,  0,       "lets admins break this process on purpose; for demonstrations on one machine"},
    {SETTING_DEMO,         SETTING_BOOLEAN,     "off",                    AT(demo),            0,  0,       "takes the secrets that the repository publishes"},
    {"BARO_START_WAIT",    SETTING_DURATION_MS, "60s",                    AT(start_wait_ms),   0,  3600000, "how long a start waits for PostgreSQL"},
};
// clang-format on

static const struct setting *row_named(const struct setting *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void service_settings_load_or_exit(int argc, char **argv, const struct setting *own,
                                   size_t own_count, struct arena *arena, void *into)
{
    struct setting *table = arena_array(arena, COUNT(COMMON) + own_count, sizeof(*table));
    size_t count = 0;

    termination_block(); // the first act of main: no thread that a service makes may end the process
    for (size_t i = 0; i < COUNT(COMMON); i++)
        if (!row_named(own, own_count, COMMON[i].name))
            table[count++] = COMMON[i];
    for (size_t i = 0; i < own_count; i++)
        table[count++] = own[i];
    settings_load_or_exit(argc, argv, table, count, arena, into);

    struct service_settings *settings = into;
    if (!settings->instance[0])
        settings->instance = instance_name(arena);
    if (!tables_mode_read(settings->migrate, &settings->tables)) {
        fprintf(stderr, "BARO_MIGRATE is \"%s\": it must be start, only or wait\n",
                settings->migrate);
        exit(EXIT_BAD_SETTING);
    }
    if (settings->fault_panel)
        faults_allow_or_exit(argv[0], settings->rpc_listen);
}
