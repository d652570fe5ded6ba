#include "lib/base/metrics.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *exposition(struct arena *arena)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 256);
    metrics_write(&out);
    return out.data;
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

Test(metrics, gives_the_same_metric_for_the_same_name_and_labels)
{
    struct metric *a = metrics_counter("calls_total", "Calls.", "method=\"Pay\"");
    cr_assert_eq(metrics_counter("calls_total", "Calls.", "method=\"Pay\""), a);
    cr_assert_neq(metrics_counter("calls_total", "Calls.", "method=\"Get\""), a);
    cr_assert_neq(metrics_counter("other_total", "Others.", "method=\"Pay\""), a);
}

Test(metrics, refuses_one_name_for_two_kinds, .signal = SIGABRT)
{
    metrics_counter("calls_total", "Calls.", NULL);
    metrics_gauge("calls_total", "Calls.", NULL);
}

Test(metrics, refuses_a_counter_that_falls, .signal = SIGABRT)
{
    metric_add(metrics_counter("calls_total", "Calls.", NULL), -1);
}

Test(metrics, counts_and_sets)
{
    struct metric *counter = metrics_counter("calls_total", "Calls.", NULL);
    struct metric *gauge = metrics_gauge("queue_depth", "Waiting calls.", NULL);
    metric_add(counter, 2);
    metric_add(counter, 3);
    metric_set(gauge, 9);
    metric_add(gauge, -10);
    cr_assert_eq(metric_value(counter), 5);
    cr_assert_eq(metric_value(gauge), -1);
}

Test(metrics, writes_help_and_type_once_a_name)
{
    SCOPED(arena) *arena = arena_create();
    metric_add(metrics_counter("calls_total", "Calls.", "method=\"Pay\""), 2);
    metric_set(metrics_gauge("queue_depth", "Waiting calls.", NULL), -3);
    metric_add(metrics_counter("calls_total", "Calls.", "method=\"Get\""), 1);
    const char *text = exposition(arena);
    const char *expected = "# HELP calls_total Calls.\n# TYPE calls_total counter\n"
                           "calls_total{method=\"Pay\"} 2\ncalls_total{method=\"Get\"} 1\n"
                           "# HELP queue_depth Waiting calls.\n# TYPE queue_depth gauge\n"
                           "queue_depth -3\n";
    cr_assert_eq(strncmp(text, expected, strlen(expected)), 0, "%s", text);
}

Test(metrics, writes_durations_in_seconds_with_cumulative_buckets)
{
    SCOPED(arena) *arena = arena_create();
    struct metric *metric = metrics_duration("call_seconds", "Time of a call.", "method=\"Pay\"");
    metric_observe(metric, 100);      // on the first limit: inside it
    metric_observe(metric, 101);      // above it
    metric_observe(metric, 2500000);  // 2.5 s
    metric_observe(metric, 11000000); // above all
    const char *text = exposition(arena);
    static const char *const lines[] = {
        "# TYPE call_seconds histogram\n",
        "call_seconds_bucket{method=\"Pay\",le=\"0.0001\"} 1\n",
        "call_seconds_bucket{method=\"Pay\",le=\"0.00025\"} 2\n",
        "call_seconds_bucket{method=\"Pay\",le=\"2\"} 2\n",
        "call_seconds_bucket{method=\"Pay\",le=\"3\"} 3\n",
        "call_seconds_bucket{method=\"Pay\",le=\"10\"} 3\n",
        "call_seconds_bucket{method=\"Pay\",le=\"+Inf\"} 4\n",
        "call_seconds_sum{method=\"Pay\"} 13.500201\n",
        "call_seconds_count{method=\"Pay\"} 4\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        cr_assert_eq(occurrences(text, lines[i]), 1, "%s\n%s", lines[i], text);
    cr_assert_eq(metric_value(metric), 4);
}

Test(metrics, writes_sizes_as_plain_counts)
{
    SCOPED(arena) *arena = arena_create();
    struct metric *metric = metrics_size("batch_size", "Calls in a batch.", NULL);
    metric_observe(metric, 1);
    metric_observe(metric, 255);
    metric_observe(metric, 5000);
    const char *text = exposition(arena);
    static const char *const lines[] = {
        "batch_size_bucket{le=\"1\"} 1\n",
        "batch_size_bucket{le=\"128\"} 1\n",
        "batch_size_bucket{le=\"256\"} 2\n",
        "batch_size_bucket{le=\"1024\"} 2\n",
        "batch_size_bucket{le=\"+Inf\"} 3\n",
        "batch_size_sum 5256\n",
        "batch_size_count 3\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        cr_assert_eq(occurrences(text, lines[i]), 1, "%s\n%s", lines[i], text);
}

// The number on the line that starts with `name `.
static double value_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    cr_assert_not_null(at, "%s", name);
    return strtod(at + strlen(name), NULL);
}

Test(metrics, reports_the_process_itself)
{
    SCOPED(arena) *arena = arena_create();
    const char *text = exposition(arena);
    cr_assert_gt(value_of(text, "\nprocess_resident_memory_bytes "), 1 << 16);
    cr_assert_gt(value_of(text, "\nprocess_cpu_seconds_total "), 0.0);
}

// Counted from what there was: under valgrind the process has files of which fcntl knows nothing.
Test(metrics, counts_the_open_files)
{
    SCOPED(arena) *arena = arena_create();
    double before = value_of(exposition(arena), "\nprocess_open_fds ");
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_geq(file, 0);
    double opened = value_of(exposition(arena), "\nprocess_open_fds ");
    close(file);
    double closed = value_of(exposition(arena), "\nprocess_open_fds ");
    cr_assert_gt(before, 2.0);
    cr_assert_float_eq(opened, before + 1, 0.1);
    cr_assert_float_eq(closed, before, 0.1);
}

static void *update_much(void *nothing)
{
    for (int i = 0; i < 20000; i++) {
        metric_add(metrics_counter("calls_total", "Calls.", NULL), 1);
        metric_observe(metrics_size("batch_size", "Calls in a batch.", NULL), 3);
    }
    return nothing;
}

Test(metrics, loses_no_update_of_any_thread)
{
    SCOPED(arena) *arena = arena_create();
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, update_much, NULL);
    exposition(arena);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(metric_value(metrics_counter("calls_total", "Calls.", NULL)), 80000);
    cr_assert_eq(metric_value(metrics_size("batch_size", "Calls in a batch.", NULL)), 80000);
    cr_assert_eq(occurrences(exposition(arena), "batch_size_sum 240000\n"), 1);
}

struct views {
    int64_t value, at_most_2, above_all;
    size_t bucket_count;
};

static void find_sizes(void *arg, const struct metric_view *view)
{
    struct views *views = arg;
    if (strcmp(view->name, "sizes") != 0 || view->type != METRIC_SIZE)
        return;
    views->value = view->value;
    views->bucket_count = view->bucket_count;
    views->at_most_2 = view->observed[1];
    views->above_all = view->observed[view->bucket_count - 1];
}

Test(metrics, are_shown_one_by_one_with_a_bucket_above_every_bound)
{
    struct metric *sizes = metrics_size("sizes", "Sizes.", NULL);
    metric_observe(sizes, 2);
    metric_observe(sizes, 5000);
    struct views views = {0};
    metrics_each(find_sizes, &views);
    int64_t bounds[METRIC_BUCKETS_MAX];
    cr_assert_eq(metrics_bounds(METRIC_SIZE, bounds) + 1, views.bucket_count);
    cr_expect_eq(bounds[1], 2);
    cr_expect_eq(views.value, 5002);
    cr_expect_eq(views.at_most_2, 1);
    cr_expect_eq(views.above_all, 1);
}
