// Wakes several times a second; what is due says so itself.

#include "gateway/housekeeping.h"

#include "gateway/gateway.h"
#include "gateway/streams.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/thread.h"

#include <pthread.h>
#include <stdlib.h>

enum { PERIOD_MS = 250, FETCH_TIMEOUT_MS = 1000 };

struct housekeeping {
    struct gateway *gateway;
    struct metric *expired;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

static void keys_fetched(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct gateway *gateway = arg;
    static struct log_throttle throttle;
    SCOPED(arena) *arena = arena_create();
    ProtobufCMessage *keys = NULL;
    if (!failed(st))
        keys = protobuf_unpack(&baro__user__key_set__descriptor, reply->payload.len,
                               reply->payload.data, arena);
    if (keys)
        auth_set_keys(gateway->auth, (const Baro__User__KeySet *)keys);
    else if (log_once_per(&throttle, LOG_PERIOD_MS))
        log_warn("signing keys cannot be fetched", log_status(st));
}

static void fetch_keys(struct gateway *gateway)
{
    Baro__Empty nothing = BARO__EMPTY__INIT;
    struct rpc_request call = {
        .method = "baro.user.User/GetKeys",
        .message = &nothing.base,
        .caller = {.role = CALLER_SERVICE},
        .timeout_ms = FETCH_TIMEOUT_MS,
        .idempotent = true,
    };
    rpc_call(gateway->services[USER_RPC], &call, keys_fetched, gateway);
}

static void run_once(struct housekeeping *keeper)
{
    struct gateway *gateway = keeper->gateway;
    int64_t now_us = clock_monotonic_us();
    metric_add(keeper->expired, connections_expire(gateway->connections, now_us));
    streams_tick(gateway->streams, now_us);
    if (auth_should_fetch(gateway->auth, now_us))
        fetch_keys(gateway);
}

static void sleep_until_due(struct housekeeping *keeper)
{
    int64_t due_us = clock_monotonic_us() + PERIOD_MS * US_PER_MS;
    condition_wait_until(&keeper->wake, &keeper->lock, due_us);
}

static void *keep_house(void *arg)
{
    struct housekeeping *keeper = arg;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping) {
        pthread_mutex_unlock(&keeper->lock);
        run_once(keeper);
        pthread_mutex_lock(&keeper->lock);
        if (!keeper->stopping)
            sleep_until_due(keeper);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

struct housekeeping *housekeeping_start(struct gateway *gateway)
{
    struct housekeeping *keeper = memory_alloc(sizeof(*keeper));
    keeper->gateway = gateway;
    keeper->expired = metrics_counter("baro_http_connections_expired_total",
                                      "Connections ended because they took too long", NULL);
    pthread_mutex_init(&keeper->lock, NULL);
    condition_init(&keeper->wake);
    thread_start(&keeper->thread, keep_house, keeper);
    return keeper;
}

void housekeeping_stop(struct housekeeping *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
