// The registry is read twice: to count, and to copy what was there when it was counted.

#include "lib/rpc/observe.h"

#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"

struct observer {
    struct arena *arena;
    Baro__Observation *observation;
    size_t room;
};

static const Baro__MetricType types[] = {
    [METRIC_COUNTER] = BARO__METRIC_TYPE__METRIC_TYPE_COUNTER,
    [METRIC_GAUGE] = BARO__METRIC_TYPE__METRIC_TYPE_GAUGE,
    [METRIC_DURATION] = BARO__METRIC_TYPE__METRIC_TYPE_DURATION,
    [METRIC_SIZE] = BARO__METRIC_TYPE__METRIC_TYPE_SIZE,
};

static bool says_something(const struct metric_view *view)
{
    int64_t count = view->bucket_count == 0;
    for (size_t i = 0; i < view->bucket_count; i++)
        count += view->observed[i];
    return count > 0;
}

static void count(void *arg, const struct metric_view *view)
{
    struct observer *observer = arg;
    observer->room += says_something(view);
}

static void take(void *arg, const struct metric_view *view)
{
    struct observer *observer = arg;
    Baro__Observation *observation = observer->observation;
    if (!says_something(view) || observation->n_metrics == observer->room)
        return;
    Baro__Metric *metric = arena_alloc(observer->arena, sizeof(*metric));
    baro__metric__init(metric);
    metric->name = protobuf_text(view->name);
    metric->labels = protobuf_text(view->labels);
    metric->type = types[view->type];
    metric->value = view->value;
    metric->n_buckets = view->bucket_count;
    metric->buckets =
        arena_copy(observer->arena, view->observed, view->bucket_count * sizeof(int64_t));
    observation->metrics[observation->n_metrics++] = metric;
}

Baro__Observation *observe(const char *instance, struct arena *arena)
{
    struct observer observer = {.arena = arena};
    metrics_each(count, &observer);
    Baro__Observation *observation = arena_alloc(arena, sizeof(*observation));
    baro__observation__init(observation);
    observation->instance = protobuf_text(instance);
    observation->metrics = arena_array(arena, observer.room + 1, sizeof(*observation->metrics));
    observer.observation = observation;
    metrics_each(take, &observer);
    return observation;
}
