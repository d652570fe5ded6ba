// Parts of the programs that have no bearing on what a run is about, in the shortest form that fits
// their headers: metrics count nothing, the operations endpoint does not listen, the schema is there,
// the log goes to the trace.

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/scheduling.h"
#include "lib/base/termination.h"
#include "lib/rpc/nng.h"
#include "lib/service/ops.h"
#include "lib/service/tables.h"
#include "services/user/service.h"
#include "tests/simulate/world.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct metric {
    int64_t value;
};

static struct metric nothing;

struct metric *metrics_counter(const char *name, const char *help, const char *labels)
{
    (void)name, (void)help, (void)labels;
    return &nothing;
}

struct metric *metrics_gauge(const char *name, const char *help, const char *labels)
{
    return metrics_counter(name, help, labels);
}

struct metric *metrics_duration(const char *name, const char *help, const char *labels)
{
    return metrics_counter(name, help, labels);
}

struct metric *metrics_size(const char *name, const char *help, const char *labels)
{
    return metrics_counter(name, help, labels);
}

void metric_add(struct metric *metric, int64_t delta)
{
    (void)metric, (void)delta;
}

void metric_set(struct metric *metric, int64_t value)
{
    (void)metric, (void)value;
}

void metric_observe(struct metric *metric, int64_t value)
{
    (void)metric, (void)value;
}

int64_t metric_value(const struct metric *metric)
{
    return metric->value;
}

void metrics_write(struct text_buffer *out)
{
    (void)out;
}

void log_init(const char *process, enum log_level level)
{
    (void)process, (void)level;
}

bool log_level_parse(const char *word, enum log_level *level)
{
    (void)word;
    *level = LOG_LEVEL_INFO;
    return true;
}

bool log_once_per(struct log_throttle *throttle, int64_t period_ms)
{
    (void)throttle, (void)period_ms;
    return true;
}

log_field log_status(struct status st)
{
    return (log_field){.kind = LOG_FIELD_STATUS,
                       .name = reason_word(st.reason),
                       .text = st.message ? st.message : status_code_name(st.code)};
}

void log_write(enum log_level level, const char *event, const log_field *fields)
{
    char line[512];
    size_t used = 0;
    if (!trace_on || level == LOG_LEVEL_DEBUG)
        return;
    for (; fields->kind != LOG_FIELD_END && used < sizeof(line); fields++)
        used += (size_t)(fields->kind == LOG_FIELD_INT
                             ? snprintf(line + used, sizeof(line) - used, " %s=%lld", fields->name,
                                        (long long)fields->number)
                             : snprintf(line + used, sizeof(line) - used, " %s=%s", fields->name,
                                        fields->text));
    trace("log: %s%.*s", event, (int)used, line);
}

void scheduling_prefer_batches(void)
{
}

void termination_block(void)
{
}

int termination_wait(void)
{
    process_now->terminator = fiber_now();
    while (!process_now->terminating)
        fiber_park(INT64_MAX);
    return SIGTERM;
}

struct status __wrap_nng_prepare(void);
struct status __wrap_nng_prepare(void)
{
    return OK;
}

struct status ops_server_start(const char *listen, const atomic_bool *ready,
                               struct ops_server **ops)
{
    (void)listen, (void)ready;
    *ops = NULL;
    return OK;
}

void ops_server_stop(struct ops_server *ops)
{
    (void)ops;
}

// The tables are there.
bool tables_mode_read(const char *text, enum tables_mode *mode)
{
    (void)text;
    *mode = TABLES_MAKE;
    return true;
}

struct status tables_prepare(const struct service_settings *service_settings,
                             const struct service_definition *definition, struct arena *arena)
{
    (void)service_settings, (void)definition, (void)arena;
    return OK;
}

// Nobody signs in here.
struct status __wrap_user_service_bootstrap(struct user_service *service, struct db *db);
struct status __wrap_user_service_bootstrap(struct user_service *service, struct db *db)
{
    (void)service, (void)db;
    return OK;
}
