#pragma once
// What the four services have in common around their tables: settings, database, dispatcher, RPC
// server, pub/sub, jobs, operations endpoint, drain. main.c fills in a definition and calls
// service_run.

#include "lib/base/log.h"
#include "lib/base/settings.h"
#include "lib/bus/bus.h"
#include "lib/cache/cache.h"
#include "lib/db/db.h"
#include "lib/db/migrate.h"
#include "lib/rpc/client.h"
#include "lib/rpc/dispatcher.h"
#include "lib/rpc/tls.h"

// What a process does about its tables (BARO_MIGRATE).
enum tables_mode {
    TABLES_MAKE, // "start": makes what is missing, then serves
    TABLES_ONLY, // "only": makes what is missing and ends
    TABLES_WAIT, // "wait": serves as soon as somebody has made them
};

// The settings that every service has; a service's own structure starts with it.
struct service_settings {
    const char *rpc_listen;   // BARO_RPC_LISTEN
    const char *bus_listen;   // BARO_BUS_LISTEN
    const char *ops_listen;   // BARO_OPS_LISTEN: /livez /readyz /metrics; "off"
    const char *database_url; // BARO_DATABASE_URL
    const char *migrate_url;  // BARO_MIGRATE_URL: the same database as its owner; "": the same role
    const char *migrate;      // BARO_MIGRATE: the word for `tables`
    enum tables_mode tables;
    const char *redis_url;    // BARO_REDIS_URL
    const char *secret;       // BARO_SECRET: between processes
    struct tls_files tls;     // BARO_TLS_CERT, .. between processes
    const char *instance;     // BARO_INSTANCE: default is host and pid
    enum log_level log_level; // BARO_LOG_LEVEL
    const char *trace_url;    // BARO_TRACE_URL: where spans go; "": nowhere
    int64_t write_workers;    // BARO_WRITE_WORKERS
    int64_t read_workers;     // BARO_READ_WORKERS
    int64_t batch_max;        // BARO_BATCH_MAX
    int64_t queue_max;        // BARO_QUEUE_MAX
    int64_t drain_ms;         // BARO_DRAIN
    bool demo;                // BARO_DEMO
    bool fault_panel;         // BARO_FAULT_PANEL
    int64_t start_wait_ms;    // BARO_START_WAIT: for PostgreSQL
};

// clang-format off
// The rows of where a service listens, with its default addresses.
#define SERVICE_LISTENS(rpc, bus, ops)                                                                                     \
    {"BARO_RPC_LISTEN", SETTING_LISTEN,      rpc, offsetof(struct service_settings, rpc_listen), 0, 0,                     \
     "where calls come in"},                                                                                               \
    {"BARO_BUS_LISTEN", SETTING_LISTEN,      bus, offsetof(struct service_settings, bus_listen), 0, 0,                     \
     "where others subscribe"},                                                                                            \
    {"BARO_OPS_LISTEN", SETTING_OPS_ADDRESS, ops, offsetof(struct service_settings, ops_listen), 0, 0,                     \
     "HTTP for /livez /readyz /metrics, or off"}
// clang-format on

// Loads the settings that every service has and the service's own rows into the structure at `into`,
// which starts with struct service_settings; like settings_load_or_exit. An own row with the name of
// a common one replaces it: that is how a service gives its own default ports.
void service_settings_load_or_exit(int argc, char **argv, const struct setting *own,
                                   size_t own_count, struct arena *arena, void *into);

// Work that repeats, on any number of replicas at once: each job claims its rows with a lease, so
// nothing happens twice. Runs on the job thread with a connection of its own.
struct job {
    const char *name;
    int64_t period_ms;
    // What it allocates from `arena` lives until its status is logged.
    struct status (*run)(void *service, struct db *db, struct arena *arena);
    bool alone; // left out while another replica is at it, as far as Redis knows: spares a scan
    bool apart; // on a thread and a connection of its own: must not wait for the others
};

struct service_runtime;

struct service_definition {
    const char *name; // "user"
    const struct method_table *methods;
    const struct migration *migrations;
    const size_t *migration_count;
    const struct job *jobs;
    size_t job_count;
    const char *command_source;  // addresses of the order service's publisher; NULL: none
    void *service;               // the service's context, given to handlers and jobs
    void (*cork)(void *service); // see struct dispatcher_options; may be NULL
    void (*uncork)(void *service);
    // After the database is migrated and the dispatcher exists, before calls come in; may be NULL.
    struct status (*started)(void *service, struct service_runtime *runtime);
    // After draining; handlers may still run, when the drain was not patient enough. May be NULL.
    void (*stopping)(void *service);
    // When no handler runs any more, before the runtime goes away; may be NULL.
    void (*stopped)(void *service);
};

// Runs until SIGTERM or SIGINT, then drains. Returns the exit status of the process.
int service_run(const struct service_settings *settings,
                const struct service_definition *definition);

struct dispatcher *service_dispatcher(struct service_runtime *runtime);
struct publisher *service_publisher(struct service_runtime *runtime);
struct arena *service_arena(struct service_runtime *runtime); // lives as long as the process
