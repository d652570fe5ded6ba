// The registry is a list of families (one name, help and kind), each with its list of metrics (one
// set of labels). Both only grow and a metric never moves, so a pointer to it is valid for ever and
// updates need no lock; the lock guards the lists.
//
// A histogram counts each observation in one bucket; the cumulative counts of the format are made
// when it is written. A scrape may see an observation in its bucket and not yet in the sum.

#include "lib/base/metrics.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct bucket {
    int64_t limit;    // of what is observed, inclusive
    const char *text; // in the unit of the metric
};

static const struct bucket duration_buckets[] = {
    {100,      "0.0001" },
    {250,      "0.00025"},
    {500,      "0.0005" },
    {1000,     "0.001"  },
    {2500,     "0.0025" },
    {5000,     "0.005"  },
    {10000,    "0.01"   },
    {25000,    "0.025"  },
    {50000,    "0.05"   },
    {100000,   "0.1"    },
    {250000,   "0.25"   },
    {500000,   "0.5"    },
    {1000000,  "1"      },
    {2000000,  "2"      },
    {3000000,  "3"      },
    {5000000,  "5"      },
    {10000000, "10"     },
};
static const struct bucket size_buckets[] = {
    {1,    "1"   },
    {2,    "2"   },
    {4,    "4"   },
    {8,    "8"   },
    {16,   "16"  },
    {32,   "32"  },
    {64,   "64"  },
    {128,  "128" },
    {256,  "256" },
    {512,  "512" },
    {1024, "1024"},
};
enum { LIMITS_MAX = METRIC_BUCKETS_MAX - 1 };
static_assert(COUNT(duration_buckets) <= LIMITS_MAX, "room for every bucket");
static_assert(COUNT(size_buckets) <= LIMITS_MAX, "room for every bucket");

struct kind {
    const char *type;
    const struct bucket *buckets; // NULL: a single value
    size_t bucket_count;
    int64_t scale; // observed units in one unit of the metric
};
static const struct kind counter = {.type = "counter"};
static const struct kind gauge = {.type = "gauge"};
static const struct kind duration = {"histogram", duration_buckets, COUNT(duration_buckets),
                                     US_PER_S};
static const struct kind size = {"histogram", size_buckets, COUNT(size_buckets), 1};
static const struct kind *const kinds[] = {
    [METRIC_COUNTER] = &counter,
    [METRIC_GAUGE] = &gauge,
    [METRIC_DURATION] = &duration,
    [METRIC_SIZE] = &size,
};

struct metric {
    struct metric *next;
    const struct kind *kind;
    char *labels;                                 // "" for none
    _Atomic int64_t value;                        // of a histogram: the sum
    _Atomic int64_t observed[METRIC_BUCKETS_MAX]; // the last: above every limit
};

struct family {
    struct family *next;
    const struct kind *kind;
    char *name;
    char *help;
    struct metric *metrics;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct family *families;

// Both find or append at the end of the list, so that the output keeps the order of registration.
static struct family *find_family(const char *name, const char *help, const struct kind *kind)
{
    struct family **at = &families;
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->name, name) == 0)
            return *at;
    *at = memory_alloc(sizeof(**at));
    (*at)->kind = kind;
    (*at)->name = memory_text(name);
    (*at)->help = memory_text(help);
    return *at;
}

static struct metric *find_metric(struct family *family, const char *labels)
{
    struct metric **at = &family->metrics;
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->labels, labels) == 0)
            return *at;
    *at = memory_alloc(sizeof(**at));
    (*at)->kind = family->kind;
    (*at)->labels = memory_text(labels);
    return *at;
}

static struct metric *register_metric(const char *name, const char *help, const char *labels,
                                      const struct kind *kind)
{
    pthread_mutex_lock(&lock);
    struct family *family = find_family(name, help, kind);
    struct metric *metric = find_metric(family, labels ? labels : "");
    pthread_mutex_unlock(&lock);
    assert(family->kind == kind);
    return metric;
}

struct metric *metrics_counter(const char *name, const char *help, const char *labels)
{
    return register_metric(name, help, labels, &counter);
}

struct metric *metrics_gauge(const char *name, const char *help, const char *labels)
{
    return register_metric(name, help, labels, &gauge);
}

struct metric *metrics_duration(const char *name, const char *help, const char *labels)
{
    return register_metric(name, help, labels, &duration);
}

struct metric *metrics_size(const char *name, const char *help, const char *labels)
{
    return register_metric(name, help, labels, &size);
}

static void add(_Atomic int64_t *value, int64_t delta)
{
    atomic_fetch_add_explicit(value, delta, memory_order_relaxed);
}

static int64_t get(const _Atomic int64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

void metric_add(struct metric *metric, int64_t delta)
{
    assert(!metric->kind->buckets);
    assert(delta >= 0 || metric->kind != &counter);
    add(&metric->value, delta);
}

void metric_set(struct metric *metric, int64_t value)
{
    assert(metric->kind == &gauge);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, int64_t value)
{
    const struct kind *kind = metric->kind;
    assert(kind->buckets);
    size_t i = 0;
    while (i < kind->bucket_count && value > kind->buckets[i].limit)
        i++;
    add(&metric->observed[i], 1);
    add(&metric->value, value);
}

int64_t metric_value(const struct metric *metric)
{
    if (!metric->kind->buckets)
        return get(&metric->value);
    int64_t count = 0;
    for (size_t i = 0; i <= metric->kind->bucket_count; i++)
        count += get(&metric->observed[i]);
    return count;
}

// `name_suffix{labels,extra} `
static void write_name(struct text_buffer *out, const char *name, const char *suffix,
                       const char *labels, const char *bucket_limit)
{
    text_append(out, name);
    text_append(out, suffix);
    if (*labels || bucket_limit) {
        text_append_char(out, '{');
        text_append(out, labels);
        if (bucket_limit)
            text_appendf(out, "%sle=\"%s\"", *labels ? "," : "", bucket_limit);
        text_append_char(out, '}');
    }
    text_append_char(out, ' ');
}

static void write_number(struct text_buffer *out, int64_t value, int64_t scale)
{
    if (scale == US_PER_S)
        text_appendf(out, "%lld.%06lld\n", (long long)(value / scale), (long long)(value % scale));
    else
        text_appendf(out, "%lld\n", (long long)value);
}

static void write_histogram(struct text_buffer *out, const char *name, const struct metric *metric)
{
    const struct kind *kind = metric->kind;
    int64_t count = 0;
    for (size_t i = 0; i <= kind->bucket_count; i++) {
        count += get(&metric->observed[i]);
        write_name(out, name, "_bucket", metric->labels,
                   i < kind->bucket_count ? kind->buckets[i].text : "+Inf");
        write_number(out, count, 1);
    }
    write_name(out, name, "_sum", metric->labels, NULL);
    write_number(out, get(&metric->value), kind->scale);
    write_name(out, name, "_count", metric->labels, NULL);
    write_number(out, count, 1);
}

static void write_head(struct text_buffer *out, const char *name, const char *help,
                       const char *type)
{
    text_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_family(struct text_buffer *out, const struct family *family)
{
    write_head(out, family->name, family->help, family->kind->type);
    for (const struct metric *metric = family->metrics; metric; metric = metric->next) {
        if (family->kind->buckets) {
            write_histogram(out, family->name, metric);
            continue;
        }
        write_name(out, family->name, "", metric->labels, NULL);
        write_number(out, get(&metric->value), 1);
    }
}

static int64_t resident_bytes(void)
{
    char line[128] = ""; // pages: "whole resident shared .."
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    const char *resident = fgets(line, sizeof(line), statm) ? strchr(line, ' ') : NULL;
    fclose(statm);
    return resident ? strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    int64_t count = -3; // ".", ".." and the folder itself
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static int64_t cpu_us(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * US_PER_S + used.tv_nsec / 1000;
}

static void write_process(struct text_buffer *out)
{
    const struct {
        const char *name, *help, *type;
        int64_t value, scale;
    } rows[] = {
        {"process_resident_memory_bytes", "Memory in RAM.", "gauge",   resident_bytes(), 1       },
        {"process_cpu_seconds_total",     "CPU time.",      "counter", cpu_us(),         US_PER_S},
        {"process_open_fds",              "Open files.",    "gauge",   open_files(),     1       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        write_head(out, rows[i].name, rows[i].help, rows[i].type);
        write_name(out, rows[i].name, "", "", NULL);
        write_number(out, rows[i].value, rows[i].scale);
    }
}

static void look(const struct family *family, const struct metric *metric, struct metric_view *view)
{
    size_t type = 0;
    while (kinds[type] != family->kind)
        type++;
    view->name = family->name;
    view->labels = metric->labels;
    view->type = (enum metric_type)type;
    view->value = get(&metric->value);
    view->bucket_count = family->kind->buckets ? family->kind->bucket_count + 1 : 0;
    for (size_t i = 0; i < view->bucket_count; i++)
        view->observed[i] = get(&metric->observed[i]);
}

void metrics_each(void (*visit)(void *arg, const struct metric_view *view), void *arg)
{
    struct metric_view view;
    pthread_mutex_lock(&lock);
    for (const struct family *family = families; family; family = family->next)
        for (const struct metric *metric = family->metrics; metric; metric = metric->next) {
            look(family, metric, &view);
            visit(arg, &view);
        }
    pthread_mutex_unlock(&lock);
}

size_t metrics_bounds(enum metric_type type, int64_t bounds[METRIC_BUCKETS_MAX])
{
    for (size_t i = 0; i < kinds[type]->bucket_count; i++)
        bounds[i] = kinds[type]->buckets[i].limit;
    return kinds[type]->bucket_count;
}

void metrics_write(struct text_buffer *out)
{
    pthread_mutex_lock(&lock);
    for (const struct family *family = families; family; family = family->next)
        write_family(out, family);
    pthread_mutex_unlock(&lock);
    write_process(out);
}
