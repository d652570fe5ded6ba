// Every replica is asked at once, and the answer waits for the slowest. The gathering lives in the
// request's arena; its lock guards that arena until the last call has ended.

#include "gateway/operations.h"

#include "gateway/request.h"
#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/rpc/observe.h"
#include "proto/gateway.pb-c.h"

#include <pthread.h>

enum { TIMEOUT_MS = 2000, REPLICAS_MAX = 256, GUARD = 1 << 20 };

struct gathering {
    struct request *request;
    pthread_mutex_t lock;
    int open; // calls without an answer, and GUARD while calls are still made
    Baro__Gateway__Operations operations;
    Baro__Observation *replicas[REPLICAS_MAX];
    int64_t duration_bounds[METRIC_BUCKETS_MAX], size_bounds[METRIC_BUCKETS_MAX];
    struct asked {
        struct gathering *gathering;
        const char *process;
    } asked[SERVICE_COUNT];
};

static void add(struct gathering *gathering, const char *process, Baro__Observation *observation)
{
    if (!observation || gathering->operations.n_replicas == REPLICAS_MAX)
        return;
    observation->process = protobuf_text(process);
    gathering->replicas[gathering->operations.n_replicas++] = observation;
}

static void finish(struct gathering *gathering)
{
    struct request *request = gathering->request;
    pthread_mutex_destroy(&gathering->lock);
    answer_message(request, request->match.endpoint->route->success, &gathering->operations.base);
    request_resume(request);
}

// Calls may end before they are counted; the guard keeps the sum above zero until all are.
static void settle(struct gathering *gathering, int ended, size_t begun)
{
    pthread_mutex_lock(&gathering->lock);
    gathering->open += (int)begun - ended;
    bool last = gathering->open == 0;
    pthread_mutex_unlock(&gathering->lock);
    if (last)
        finish(gathering);
}

static void observed(void *arg, struct status st, const Baro__RpcReply *reply)
{
    const struct asked *asked = arg;
    struct gathering *gathering = asked->gathering;
    if (!failed(st)) {
        pthread_mutex_lock(&gathering->lock);
        ProtobufCMessage *observation =
            protobuf_unpack(&baro__observation__descriptor, reply->payload.len, reply->payload.data,
                            gathering->request->arena);
        add(gathering, asked->process, (Baro__Observation *)observation);
        pthread_mutex_unlock(&gathering->lock);
    }
    settle(gathering, 1, 0);
}

static struct gathering *begin(struct request *request)
{
    struct gathering *gathering = arena_alloc(request->arena, sizeof(*gathering));
    Baro__Gateway__Operations *operations = &gathering->operations;
    gathering->request = request;
    pthread_mutex_init(&gathering->lock, NULL);
    baro__gateway__operations__init(operations);
    operations->replicas = gathering->replicas;
    operations->observed_at = arena_alloc(request->arena, sizeof(*operations->observed_at));
    baro__timestamp__init(operations->observed_at);
    operations->observed_at->us = clock_realtime_us();
    operations->duration_bounds_us = gathering->duration_bounds;
    operations->n_duration_bounds_us = metrics_bounds(METRIC_DURATION, gathering->duration_bounds);
    operations->size_bounds = gathering->size_bounds;
    operations->n_size_bounds = metrics_bounds(METRIC_SIZE, gathering->size_bounds);
    add(gathering, "gateway", observe(request->gateway->instance, request->arena));
    return gathering;
}

void operations_serve(struct request *request)
{
    struct gathering *gathering = begin(request);
    Baro__Empty nothing;
    baro__empty__init(&nothing);
    const struct rpc_request call = {
        .method = "baro.Health/Observe",
        .message = &nothing.base,
        .caller = request->caller,
        .timeout_ms = TIMEOUT_MS,
        .traceparent = request->trace.parent,
    };
    gathering->open = GUARD;
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        gathering->asked[i] = (struct asked){gathering, service_names[i]};
        size_t begun =
            rpc_call_each(request->gateway->services[i], &call, observed, &gathering->asked[i]);
        settle(gathering, 0, begun);
    }
    settle(gathering, GUARD, 0);
}
