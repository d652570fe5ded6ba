// Start-up in the order of dependence, shut-down in reverse: a service takes calls only when its
// schema is in place, and stops only when what it took is answered.

#include "lib/service/service.h"

#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/scheduling.h"
#include "lib/base/termination.h"
#include "lib/base/text.h"
#include "lib/bus/commands.h"
#include "lib/bus/leases.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/server.h"
#include "lib/service/jobs.h"
#include "lib/service/ops.h"
#include "lib/service/tables.h"
#include "lib/service/transaction.h"
#include "lib/trace/span.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LEASE_PERIOD_MS = 2000, LEASE_MS = 10000, RUNNERS_MAX = 16 };

struct service_runtime {
    const struct service_settings *settings;
    const struct service_definition *definition;
    struct arena *arena; // for the words of a failing start
    struct dispatcher *dispatcher;
    struct publisher *publisher;
    struct command_receiver *commands;
    struct rpc_server *server;
    struct ops_server *ops;
    struct cache *cache;
    struct job_lock lock;
    struct job_runner *runners[RUNNERS_MAX]; // of the jobs: those together, and each that is apart
    size_t runner_count;
    struct job_runner *leases;
    struct job lease_job;
    atomic_bool ready;
};

struct dispatcher *service_dispatcher(struct service_runtime *runtime)
{
    return runtime->dispatcher;
}

struct publisher *service_publisher(struct service_runtime *runtime)
{
    return runtime->publisher;
}

struct arena *service_arena(struct service_runtime *runtime)
{
    return runtime->arena;
}

// A failure of the start, with the setting that it has to do with.
static struct status about(const char *setting, struct status st)
{
    if (failed(st) && !st.field)
        st.field = setting;
    return st;
}

static struct status make_dispatcher(struct service_runtime *runtime)
{
    const struct service_settings *settings = runtime->settings;

    // The ops table takes a plain pointer; the connection string is only read.
    runtime->dispatcher = dispatcher_create(&(struct dispatcher_options){
        .transaction = &postgres_transaction,
        .transaction_context = (void *)(uintptr_t)settings->database_url,
        .service = runtime->definition->service,
        .write_workers = (size_t)settings->write_workers,
        .read_workers = (size_t)settings->read_workers,
        .queue_max = (size_t)settings->queue_max,
        .batch_max = (size_t)settings->batch_max,
        .cork = runtime->definition->cork,
        .uncork = runtime->definition->uncork,
    });
    return dispatcher_add(runtime->dispatcher, runtime->definition->methods);
}

static struct status renew_leases(void *service, struct db *db, struct arena *arena)
{
    (void)arena;
    struct service_runtime *runtime = service;
    uint32_t partitions = 0;
    struct status st = leases_renew(db, runtime->settings->instance, LEASE_MS, &partitions);
    if (!failed(st))
        command_receiver_set_partitions(runtime->commands, partitions);
    return st;
}

static struct status start_commands(struct service_runtime *runtime)
{
    const struct service_definition *definition = runtime->definition;
    if (!definition->command_source)
        return OK;
    struct status st = command_receiver_start(definition->name, definition->command_source,
                                              runtime->settings->secret, runtime->dispatcher,
                                              runtime->publisher, &runtime->commands);
    if (failed(st))
        return st;
    // On a thread of its own: a slow job must not cost the replica its partitions.
    runtime->lease_job =
        (struct job){"partition_leases", LEASE_PERIOD_MS, renew_leases, .apart = true};
    runtime->leases =
        job_runner_start(&runtime->lease_job, 1, runtime, runtime->settings->database_url, NULL);
    return OK;
}

static void start_runner(struct service_runtime *runtime, const struct job *jobs, size_t count)
{
    assert(runtime->runner_count < RUNNERS_MAX);
    runtime->runners[runtime->runner_count++] = job_runner_start(
        jobs, count, runtime->definition->service, runtime->settings->database_url, &runtime->lock);
}

// Jobs that run together stand together in the table, first.
static void start_jobs(struct service_runtime *runtime)
{
    const struct job *jobs = runtime->definition->jobs;
    size_t count = runtime->definition->job_count, together = 0;
    runtime->lock =
        (struct job_lock){runtime->cache, runtime->definition->name, runtime->settings->instance};
    while (together < count && !jobs[together].apart)
        together++;
    start_runner(runtime, jobs, together);
    for (size_t i = together; i < count; i++) {
        assert(jobs[i].apart);
        start_runner(runtime, &jobs[i], 1);
    }
}

static struct status start_server(struct service_runtime *runtime)
{
    const struct rpc_server_options options = {
        .listen = runtime->settings->rpc_listen,
        .secret = runtime->settings->secret,
        .instance = runtime->settings->instance,
        .dispatcher = runtime->dispatcher,
    };
    return rpc_server_start(&options, &runtime->server);
}

static struct status start(struct service_runtime *runtime)
{
    const struct service_settings *settings = runtime->settings;
    const struct service_definition *definition = runtime->definition;
    struct status st = nng_prepare();

    if (!failed(st))
        st = tls_prepare(&settings->tls, runtime->arena);
    if (!failed(st))
        st = exporter_start(&(struct exporter_options){
            .url = settings->trace_url,
            .process = text_printf(runtime->arena, "baro-%s", definition->name),
            .instance = settings->instance,
        });
    if (!failed(st))
        st = about("BARO_REDIS_URL", cache_create(settings->redis_url, &runtime->cache));
    if (!failed(st))
        st = tables_prepare(settings, definition, runtime->arena);
    if (!failed(st))
        st = make_dispatcher(runtime);
    if (!failed(st))
        st = about("BARO_BUS_LISTEN",
                   publisher_start(settings->bus_listen, settings->secret, &runtime->publisher));
    if (!failed(st) && definition->started)
        st = definition->started(definition->service, runtime);
    if (failed(st))
        return st;
    dispatcher_start(runtime->dispatcher);
    st = start_commands(runtime);
    if (!failed(st))
        st = about("BARO_RPC_LISTEN", start_server(runtime));
    if (failed(st))
        return st;
    start_jobs(runtime);
    st = about("BARO_OPS_LISTEN",
               ops_server_start(settings->ops_listen, &runtime->ready, &runtime->ops));
    atomic_store(&runtime->ready, !failed(st));
    return st;
}

static void give_leases_back(struct service_runtime *runtime)
{
    SCOPED(db) *db = db_create(runtime->settings->database_url, "leases");
    struct status st = leases_release(db, runtime->settings->instance);
    if (failed(st))
        log_warn("partition leases not given back: they run out by themselves", log_status(st));
}

// Jobs are told first and waited for last: they end while the calls that were taken are answered.
static void drain(struct service_runtime *runtime)
{
    job_runner_halt(runtime->leases);
    for (size_t i = 0; i < runtime->runner_count; i++)
        job_runner_halt(runtime->runners[i]);
    if (runtime->leases) {
        job_runner_stop(runtime->leases);
        give_leases_back(runtime);
    }
    if (runtime->dispatcher)
        dispatcher_drain(runtime->dispatcher, runtime->settings->drain_ms);
    for (size_t i = 0; i < runtime->runner_count; i++)
        job_runner_stop(runtime->runners[i]);
}

static void stop(struct service_runtime *runtime)
{
    atomic_store(&runtime->ready, false);
    if (runtime->server)
        rpc_server_stop_serving(runtime->server);
    drain(runtime);
    if (runtime->definition->stopping)
        runtime->definition->stopping(runtime->definition->service);
    if (runtime->dispatcher)
        dispatcher_stop(runtime->dispatcher);
    if (runtime->definition->stopped)
        runtime->definition->stopped(runtime->definition->service);
    command_receiver_destroy(runtime->commands);
    rpc_server_destroy(runtime->server);
    dispatcher_destroy(runtime->dispatcher);
    publisher_destroy(runtime->publisher);
    cache_destroy(runtime->cache);
    ops_server_stop(runtime->ops);
    exporter_stop();
}

static int only_make_tables(const struct service_settings *settings,
                            const struct service_definition *definition)
{
    SCOPED(arena) *arena = arena_create();
    struct status st = tables_prepare(settings, definition, arena);
    if (failed(st))
        log_error("cannot make the tables", log_status(st));
    else
        log_info("the tables are there");
    return failed(st);
}

int service_run(const struct service_settings *settings,
                const struct service_definition *definition)
{
    SCOPED(arena) *arena = arena_create();
    struct service_runtime runtime = {
        .settings = settings, .definition = definition, .arena = arena};

    scheduling_prefer_batches();
    log_init(definition->name, settings->log_level);
    if (settings->tables == TABLES_ONLY)
        return only_make_tables(settings, definition);
    struct status st = start(&runtime);
    if (failed(st)) {
        log_error("cannot start", log_text("setting", st.field ? st.field : ""), log_status(st));
        stop(&runtime);
        return st.code == STATUS_INVALID_ARGUMENT ? EXIT_BAD_SETTING : EXIT_FAILURE;
    }
    log_info("ready", log_text("instance", settings->instance),
             log_text("rpc", settings->rpc_listen));
    log_info("draining", log_int("signal", termination_wait()),
             log_text("instance", settings->instance));
    stop(&runtime);
    log_info("stopped", log_text("instance", settings->instance));
    return 0;
}
