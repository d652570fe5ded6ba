// Wiring: settings -> log -> gateway -> wait for a signal -> drain.

#include "gateway/gateway.h"
#include "lib/base/faults.h"
#include "lib/base/instance.h"
#include "lib/base/scheduling.h"
#include "lib/base/settings.h"
#include "lib/base/termination.h"
#include "lib/base/version.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/seal.h"
#include "lib/trace/span.h"

#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

#define AT(field) offsetof(struct gateway_settings, field)

// clang-format off
static const struct setting table[] = {
    {"BARO_HTTP_ADDRESS",                 SETTING_ADDRESS,     "127.0.0.1:8080",         AT(http_address),              0,   0,        "where clients connect"},
    {"BARO_USER_RPC",                     SETTING_PEERS,       "tcp://127.0.0.1:7101",   AT(rpc[USER_RPC]),             0,   0,        "addresses of the user service"},
    {"BARO_PRODUCT_RPC",                  SETTING_PEERS,       "tcp://127.0.0.1:7102",   AT(rpc[PRODUCT_RPC]),          0,   0,        "addresses of the product service"},
    {"BARO_ORDER_RPC",                    SETTING_PEERS,       "tcp://127.0.0.1:7103",   AT(rpc[ORDER_RPC]),            0,   0,        "addresses of the order service"},
    {"BARO_COUPON_RPC",                   SETTING_PEERS,       "tcp://127.0.0.1:7104",   AT(rpc[COUPON_RPC]),           0,   0,        "addresses of the coupon service"},
    {"BARO_REDIS_URL",                    SETTING_REDIS,       "redis://127.0.0.1:6379", AT(limits.redis_url),          0,   0,        "where the limits are counted; by default redis://127.0.0.1:6379"},
    {"BARO_LIMIT_ORDERS",                 SETTING_RATE,        "1/1s",                   AT(limits.orders),             0,   0,        "orders, and payments, of one user"},
    {"BARO_LIMIT_CLAIMS",                 SETTING_RATE,        "3/60s",                  AT(limits.claims),             0,   0,        "coupon claims of one user"},
    {"BARO_LIMIT_LOGINS",                 SETTING_RATE,        "5/60s",                  AT(limits.logins),             0,   0,        "logins with one e-mail from one address"},
    {"BARO_BLOCK_FAILURES",               SETTING_RATE,        "5/600s",                 AT(limits.failures),           0,   0,        "so many failed orders or payments in a row block for so long"},
    {"BARO_ORDER_BUS",                    SETTING_PEERS,       "tcp://127.0.0.1:7203",   AT(streams.bus),               0,   0,        "publishers of the order service: what rings when an order changes"},
    {"BARO_STREAMS",                      SETTING_INTEGER,     "2000",                   AT(streams.max),               0,   100000,   "streams of events at a time"},
    {"BARO_STREAMS_PER_USER",             SETTING_INTEGER,     "10",                     AT(streams.max_per_user),      0,   100000,   "of them, of one user"},
    {"BARO_STREAM_LOOK",                  SETTING_DURATION_MS, "3s",                     AT(streams.look_ms),           50,  3600000,  "how often a stream asks when nothing rings"},
    {"BARO_STREAM_HEARTBEAT",             SETTING_DURATION_MS, "10s",                    AT(streams.heartbeat_ms),      50,  14000,    "silence after which a stream says that it is still there"},
    {"BARO_STREAM_LIFETIME",              SETTING_DURATION_MS, "1h",                     AT(streams.lifetime_ms),       50,  86400000, "after which a stream ends and its client comes back"},
    {"BARO_SECRET",                       SETTING_SECRET,      NULL,                     AT(secret),                    16,  0,        "shared by all processes; 16 characters or more"},
    {"BARO_TLS_CERT",                     SETTING_TEXT,        "",                       AT(tls.certificate),           0,   0,        "PEM file of the certificate that tls+tcp:// to services shows; empty: no TLS"},
    {"BARO_TLS_KEY",                      SETTING_TEXT,        "",                       AT(tls.key),                   0,   0,        "PEM file of its key"},
    {"BARO_TLS_CA",                       SETTING_TEXT,        "",                       AT(tls.authority),             0,   0,        "PEM file of the authority that signs for Baro's processes and for nobody else"},
    {"BARO_TLS_NAME",                     SETTING_TEXT,        "baro",                   AT(tls.name),                  0,   0,        "the DNS name that all their certificates bear"},
    {"BARO_LOG_LEVEL",                    SETTING_LOG_LEVEL,   "info",                   AT(log_level),                 0,   0,        "debug, info, warn, error or off"},
    {"BARO_TRACE_URL",                    SETTING_TEXT,        "",                       AT(trace_url),                 0,   0,        "collector of spans (OTLP over HTTP), such as http://127.0.0.1:4318; empty: none"},
    {"BARO_TRACE_SHARE",                  SETTING_INTEGER,     "100",                    AT(trace_share),               0,   100,      "of the traces that begin here, so many percent are recorded"},
    {"BARO_HTTP_THREADS",                 SETTING_INTEGER,     "1",                      AT(http_threads),              1,   64,       "threads that serve HTTP"},
    {"BARO_HTTP_CONNECTIONS",             SETTING_INTEGER,     "8192",                   AT(connections_max),           1,   100000,   "connections at a time"},
    {"BARO_HTTP_CONNECTIONS_PER_ADDRESS", SETTING_INTEGER,     "4096",                   AT(connections_per_address),   0,   100000,   "of one client address; 0: no limit"},
    {"BARO_HTTP_HEAD_DEADLINE",           SETTING_DURATION_MS, "5s",                     AT(connection_limits.head_ms), 100, 3600000,  "for the head of a request to arrive"},
    {"BARO_HTTP_BODY_DEADLINE",           SETTING_DURATION_MS, "10s",                    AT(connection_limits.body_ms), 100, 3600000,  "for its body"},
    {"BARO_HTTP_DEADLINE",                SETTING_DURATION_MS, "30s",                    AT(connection_limits.rest_ms), 100, 3600000,  "for a connection to be idle, an answer to be read"},
    {"BARO_RPC_IN_FLIGHT",                SETTING_INTEGER,     "4096",                   AT(rpc_in_flight),             1,   100000,   "calls at a time to one service, a quarter of them for what begins anew"},
    {"BARO_CALL_DELAY",                   SETTING_DURATION_MS, "300ms",                  AT(call_delay_ms),             0,   60000,    "a service that takes longer on average gets fewer calls at a time, or off"},
    {"BARO_CATALOGUE_CACHE",              SETTING_DURATION_MS, "1s",                     AT(catalogue_cache_ms),        0,   60000,    "how old an answer of the catalogue can be, or off"},
    {"BARO_CORS_ORIGINS",                 SETTING_TEXT,        "",                       AT(cors_origins),              0,   0,        "origins whose scripts may call, comma-separated"},
    {SETTING_DEMO,                        SETTING_BOOLEAN,     "off",                    AT(demo),                      0,   0,        "takes the secrets that the repository publishes"},
    {"BARO_FAULT_PANEL",                  SETTING_BOOLEAN,     "off",                    AT(fault_panel),               0,   0,        "lets admins break things on purpose; for demonstrations on one machine"},
    {"BARO_DRAIN_NOTICE",                 SETTING_DURATION_MS, "0s",                     AT(drain_notice_ms),           0,   600000,   "/readyz says no for so long before the port closes"},
    {"BARO_DRAIN",                        SETTING_DURATION_MS, "10s",                    AT(drain_ms),                  0,   600000,   "time for running requests to end"},
};
// clang-format on

// As many descriptors as the connections need, and some for the rest.
static void raise_descriptor_limit(int64_t connections)
{
    enum { OTHERS = 1024 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t wanted = (rlim_t)connections + OTHERS;
    if (limit.rlim_cur < wanted)
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static struct status start(const struct gateway_settings *settings, struct arena *arena,
                           struct gateway **gateway)
{
    if (sodium_init() < 0)
        return refuse(REASON_INTERNAL, "libsodium does not work here");
    struct seal_key key;
    struct status st = seal_key_init(&key, settings->secret);
    if (!failed(st))
        st = nng_prepare();
    if (!failed(st))
        st = tls_prepare(&settings->tls, arena);
    if (!failed(st))
        st = exporter_start(&(struct exporter_options){.url = settings->trace_url,
                                                       .process = "baro-gateway",
                                                       .instance = instance_name(arena)});
    if (!failed(st))
        st = gateway_start(settings, gateway);
    return st;
}

int main(int argc, char **argv)
{
    struct gateway_settings settings;
    SCOPED(arena) *arena = arena_create();
    settings_load_or_exit(argc, argv, table, COUNT(table), arena, &settings);
    for (size_t i = 0; i < SERVICE_COUNT && settings.fault_panel; i++)
        faults_allow_or_exit(argv[0], settings.rpc[i]);
    log_init("baro-gateway", settings.log_level);
    raise_descriptor_limit(settings.connections_max);

    termination_block();
    scheduling_prefer_batches();

    struct gateway *gateway = NULL;
    struct status st = start(&settings, arena, &gateway);
    if (failed(st)) {
        log_error("cannot start", log_text("setting", st.field ? st.field : ""), log_status(st));
        return st.code == STATUS_INVALID_ARGUMENT ? EXIT_BAD_SETTING : EXIT_FAILURE;
    }
    log_info("serving", log_text("version", BARO_VERSION), log_int("port", gateway_port(gateway)));
    log_info("draining", log_int("signal", termination_wait()));
    gateway_stop(gateway);
    exporter_stop();
    log_info("stopped");
    return 0;
}
