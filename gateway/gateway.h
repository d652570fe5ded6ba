#pragma once
// The gateway: HTTP and JSON outside, RPC inside, no business rule in between.

#include "gateway/auth.h"
#include "gateway/connections.h"
#include "gateway/limits.h"
#include "gateway/routes.h"
#include "lib/base/log.h"
#include "lib/rpc/client.h"
#include "lib/rpc/tls.h"

#include <stdatomic.h>

// Who follows orders (streams.h).
struct streams_settings {
    const char *bus;      // addresses of the order service's publishers; "" or NULL for none
    int64_t max;          // streams at a time
    int64_t max_per_user; // of them, one user's
    int64_t look_ms;      // how often is asked without a doorbell
    int64_t heartbeat_ms; // after so long without an event: "still here"
    int64_t lifetime_ms;
};

struct gateway_settings {
    const char *http_address;       // "127.0.0.1:8080"; port 0: any
    const char *rpc[SERVICE_COUNT]; // addresses of the services
    const char *secret;             // between processes
    struct tls_files tls;           // the same
    bool demo;                      // takes published secrets
    const char *cors_origins;       // "https://a.example, https://b.example"; "" for none
    struct limits_settings limits;
    struct streams_settings streams;
    enum log_level log_level;
    const char *trace_url; // where spans go; "": nowhere
    int64_t trace_share;   // percent of the traces that begin here
    int64_t http_threads;
    int64_t connections_max;
    int64_t connections_per_address; // 0: no limit
    struct connection_limits connection_limits;
    int64_t rpc_in_flight;      // per service
    int64_t call_delay_ms;      // what is slower on average gets fewer calls; 0: never
    int64_t catalogue_cache_ms; // how old what anybody may read can be; 0: not kept
    bool fault_panel;           // faults_panel.h
    int64_t drain_notice_ms;    // /readyz says 503 for so long before the port closes
    int64_t drain_ms;           // then what runs has so long to end
};

struct http_server;
struct page_cache;
struct request_pool;
struct room;
struct web;

struct gateway {
    const struct gateway_settings *settings;
    struct arena *arena;
    const char *instance; // of this process
    struct router *router;
    const struct web *web;
    struct rpc_client *services[SERVICE_COUNT];
    struct room *rooms[SERVICE_COUNT]; // for the calls to each
    struct auth *auth;
    struct limits *limits;
    struct streams *streams;
    struct fault_panel *fault_panel; // NULL: there is none
    struct connections *connections;
    struct page_cache *pages;
    struct request_pool *requests;
    struct http_server *http;
    struct housekeeping *housekeeping;
    const char **cors_origins;
    size_t cors_origin_count;
    int64_t started_us;
    atomic_bool was_whole; // every service was reached once
    atomic_bool draining;  // /readyz says so, and connections close after their answer
    atomic_bool refusing;  // no new call starts
};

// Starts everything; settings must outlive it. UNAVAILABLE when the address cannot be listened on.
struct status gateway_start(const struct gateway_settings *settings, struct gateway **gateway);

// The TCP port it listens on.
int gateway_port(const struct gateway *gateway);

// True when a replica of the service answers.
bool gateway_reaches(struct gateway *gateway, enum service service);

// What a load balancer should know. A start is over when every service was reached, or after 30 s; from
// then on a gateway that reaches some of them serves what they offer, and says so: taking it out would
// take away everything because one thing is missing.
enum gateway_readiness {
    GATEWAY_NOT_READY, // draining, without keys, alone, or still starting
    GATEWAY_DEGRADED,  // calls to some services would fail
    GATEWAY_READY,
};
enum gateway_readiness gateway_readiness(struct gateway *gateway);

// Announces the end, stops accepting, lets what runs end within the drain time, ends the rest with
// 503 and frees everything. Accepts NULL.
void gateway_stop(struct gateway *gateway);
