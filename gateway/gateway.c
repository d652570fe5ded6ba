// Start-up in the order of dependence, shut-down in reverse.
//
// The order of the end matters: (1) /readyz says no, (2) the port closes and the streams end, so
// that their clients go elsewhere, (3) what runs may end, (4) no new call starts, and Redis is not
// asked any more, (5) the clients go: calls that are left fail and their connections are resumed
// and answered, (6) HTTP stops, with no connection suspended.

#include "gateway/gateway.h"

#include "gateway/fault_panel.h"
#include "gateway/housekeeping.h"
#include "gateway/http.h"
#include "gateway/page_cache.h"
#include "gateway/request.h"
#include "gateway/room.h"
#include "gateway/streams.h"
#include "gateway/web.h"
#include "lib/base/clock.h"
#include "lib/base/instance.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <time.h>

enum {
    START_MS = 30 * 1000,  // at most, until what is there is served
    LAST_ANSWERS_MS = 200, // for the answers of calls that failed at the end
    PAGES_BYTES_MAX = 32 * 1024 * 1024,
};

static void connect_services(struct gateway *gateway)
{
    size_t max = (size_t)gateway->settings->rpc_in_flight;
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        gateway->rooms[i] = room_create(service_names[i], max, gateway->settings->call_delay_ms);
        gateway->services[i] = rpc_client_create(&(struct rpc_client_options){
            .service = service_names[i],
            .addresses = gateway->settings->rpc[i],
            .secret = gateway->settings->secret,
            .max_in_flight = max,
        });
    }
}

struct status gateway_start(const struct gateway_settings *settings, struct gateway **gateway)
{
    struct gateway *made = memory_alloc(sizeof(*made));
    made->settings = settings;
    made->started_us = clock_monotonic_us();
    made->arena = arena_create();
    made->instance = instance_name(made->arena);
    made->cors_origin_count =
        text_split(made->arena, settings->cors_origins, ',', &made->cors_origins);
    struct status st = router_create(made->arena, route_table, route_count, &made->router);
    if (!failed(st))
        st = limits_create(&settings->limits, &made->limits);
    if (!failed(st))
        st = streams_create(&settings->streams, settings->secret, &made->streams);
    if (!failed(st) && settings->fault_panel)
        st = fault_panel_create(settings->limits.redis_url, &made->fault_panel);
    if (!failed(st)) {
        made->web = web_create(made->arena, made->router);
        made->auth = auth_create();
        made->connections = connections_create(settings->connection_limits);
        made->pages = page_cache_create(settings->catalogue_cache_ms, PAGES_BYTES_MAX);
        made->requests = request_pool_create();
        connect_services(made);
        st = http_server_start(made, &made->http);
    }
    if (failed(st)) {
        gateway_stop(made);
        return st;
    }
    made->housekeeping = housekeeping_start(made);
    *gateway = made;
    return OK;
}

int gateway_port(const struct gateway *gateway)
{
    return http_server_port(gateway->http);
}

bool gateway_reaches(struct gateway *gateway, enum service service)
{
    return !atomic_load(&gateway->refusing) && rpc_client_ready(gateway->services[service]);
}

enum gateway_readiness gateway_readiness(struct gateway *gateway)
{
    size_t reached = 0;
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        reached += gateway_reaches(gateway, (enum service)i);
    if (atomic_load(&gateway->draining) || !auth_has_keys(gateway->auth) || reached == 0)
        return GATEWAY_NOT_READY;
    if (reached == SERVICE_COUNT) {
        atomic_store(&gateway->was_whole, true);
        return GATEWAY_READY;
    }
    bool starting = !atomic_load(&gateway->was_whole) &&
                    clock_monotonic_us() < gateway->started_us + START_MS * US_PER_MS;
    return starting ? GATEWAY_NOT_READY : GATEWAY_DEGRADED;
}

static void pause_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void await_requests(struct gateway *gateway, int64_t timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    while (request_pool_active(gateway->requests) > 0 && clock_monotonic_us() < until_us)
        pause_ms(5);
}

static void drain(struct gateway *gateway)
{
    atomic_store(&gateway->draining, true);
    pause_ms(gateway->settings->drain_notice_ms);
    http_server_quiesce(gateway->http);
    streams_end(gateway->streams);
    await_requests(gateway, gateway->settings->drain_ms);
    atomic_store(&gateway->refusing, true);
    http_server_go_round(gateway->http);
}

void gateway_stop(struct gateway *gateway)
{
    if (!gateway)
        return;
    if (gateway->http)
        drain(gateway);
    housekeeping_stop(gateway->housekeeping);
    limits_stop(gateway->limits);
    fault_panel_stop(gateway->fault_panel);
    streams_quiesce(gateway->streams);
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        rpc_client_destroy(gateway->services[i]);
    if (gateway->http)
        await_requests(gateway, LAST_ANSWERS_MS);
    http_server_stop(gateway->http);
    request_pool_destroy(gateway->requests);
    page_cache_destroy(gateway->pages);
    streams_destroy(gateway->streams);
    connections_destroy(gateway->connections);
    auth_destroy(gateway->auth);
    limits_destroy(gateway->limits);
    fault_panel_destroy(gateway->fault_panel);
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        room_destroy(gateway->rooms[i]);
    arena_destroy(gateway->arena);
    free(gateway);
}
