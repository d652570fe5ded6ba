#pragma once
// Counters, gauges and histograms, written in Prometheus' text format.
//
// Metrics are registered once, at start-up or at first use, and live as long as the process. The
// same name and labels give the same metric. Updating is lock-free and safe from any thread.

#include "lib/base/text.h"

#include <stdint.h>

struct metric;

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

// Appends all metrics of the process.
void metrics_write(struct text_buffer *out);
