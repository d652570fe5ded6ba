#pragma once
// Counters, gauges and histograms, written in Prometheus' text format.
//
// Metrics are registered once, at start-up or at first use, and live as long as the process. The
// same name and labels give the same metric. Updating is lock-free and safe from any thread.

#include "lib/base/text.h"

#include <stdint.h>

struct metric;

enum { METRIC_BUCKETS_MAX = 18 };
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_DURATION, METRIC_SIZE };

// `labels` is the text between the braces, e.g. "method=\"PayOrder\"", or NULL.
struct metric *metrics_counter(const char *name, const char *help, const char *labels);
struct metric *metrics_gauge(const char *name, const char *help, const char *labels);

// Buckets for durations: 100 us to 10 s; the unit of the metric is seconds (Prometheus' rule).
struct metric *metrics_duration(const char *name, const char *help, const char *labels);

// Buckets for counts: 1, 2, 4 .. 1024.
struct metric *metrics_size(const char *name, const char *help, const char *labels);

void metric_add(struct metric *metric, int64_t delta);
void metric_set(struct metric *metric, int64_t value);

// Observes microseconds for a duration metric, a plain count for a size metric.
void metric_observe(struct metric *metric, int64_t value);

// The current value of a counter or gauge; the number of observations of a histogram.
int64_t metric_value(const struct metric *metric);

// One metric as it is now. The texts and the bounds live as long as the process.
struct metric_view {
    const char *name;
    const char *labels; // "" for none
    enum metric_type type;
    int64_t value;                        // of a histogram: the sum, in microseconds for a duration
    int64_t observed[METRIC_BUCKETS_MAX]; // of a histogram: by bucket, the last above every bound
    size_t bucket_count;
};

// Shows all metrics that were registered, in the order of their registration. `visit` must not
// register any.
void metrics_each(void (*visit)(void *arg, const struct metric_view *view), void *arg);

// The inclusive upper bounds of the buckets, one less than there are buckets: microseconds of
// METRIC_DURATION, counts of METRIC_SIZE. Returns how many there are.
size_t metrics_bounds(enum metric_type type, int64_t bounds[METRIC_BUCKETS_MAX]);

// Appends all metrics of the process.
void metrics_write(struct text_buffer *out);
