// The order process: cart, orders, payments and the sagas behind them.

#include "lib/base/macros.h"
#include "services/order/service.h"
#include "services/order/sinks.h"

#include <stdio.h>

#define AT(field) offsetof(struct order_settings, field)

extern const struct migration order_migrations[];
extern const size_t order_migration_count;

// clang-format off
static const struct setting SETTINGS[] = {
    SERVICE_LISTENS("tcp://127.0.0.1:7103", "tcp://127.0.0.1:7203", "127.0.0.1:7303"),
    {"BARO_USER_RPC",    SETTING_PEERS, "tcp://127.0.0.1:7101", AT(user_rpc),    0, 0, "replicas of the user service"},
    {"BARO_PRODUCT_RPC", SETTING_PEERS, "tcp://127.0.0.1:7102", AT(product_rpc), 0, 0, "replicas of the product service"},
    {"BARO_COUPON_RPC",  SETTING_PEERS, "tcp://127.0.0.1:7104", AT(coupon_rpc),  0, 0, "replicas of the coupon service"},
    {"BARO_USER_BUS",    SETTING_PEERS, "tcp://127.0.0.1:7201", AT(user_bus),    0, 0, "publishers of the user service"},
    {"BARO_PRODUCT_BUS", SETTING_PEERS, "tcp://127.0.0.1:7202", AT(product_bus), 0, 0, "publishers of the product service"},
    {"BARO_COUPON_BUS",  SETTING_PEERS, "tcp://127.0.0.1:7204", AT(coupon_bus),  0, 0, "publishers of the coupon service"},
    {"BARO_ORDER_TTL",         SETTING_DURATION_MS, "10m",   AT(order_ttl_ms),     1000, 86400000, "how long an order may wait for its payment"},
    {"BARO_CHECKOUT_TTL",      SETTING_DURATION_MS, "30s",   AT(checkout_ttl_ms),  1000, 86400000, "how long a checkout holds its stock"},
    {"BARO_OPEN_ORDERS",       SETTING_INTEGER,     "200",   AT(open_orders_max),  0, 1000000, "orders of one user that may hold stock unpaid at a time; 0: any number"},
    {"BARO_EXPIRY_PERIOD",     SETTING_DURATION_MS, "30s",   AT(expiry_period_ms), 100, 3600000, "how often unpaid orders are expired"},
    {"BARO_SAGA_LEASE",        SETTING_DURATION_MS, "10s",   AT(saga_lease_ms),    2000, 600000, "after which a silent replica's sagas are taken over"},
    {"BARO_SAGA_RETRY",        SETTING_DURATION_MS, "250ms", AT(saga_retry_ms),    10, 60000, "when an unanswered command is sent again"},
    {"BARO_SAGA_HELD_AFTER",   SETTING_DURATION_MS, "5s",    AT(saga_held_after_ms),   10, 3600000, "when a silent payment shows as HELD"},
    {"BARO_SAGA_DECIDE_AFTER", SETTING_DURATION_MS, "60s",   AT(saga_decide_after_ms), 10, 3600000, "when recovery gives a silent payment up"},
    {"BARO_LAW_PERIOD",        SETTING_DURATION_MS, "60s",   AT(law_period_ms),        0, 86400000, "how often the laws are checked in the background; 0s: only for who asks"},
    {"BARO_SAGA_PARK_AFTER",   SETTING_INTEGER,     "10",    AT(saga_park_after),      1, 1000, "fruitless tries after which a step is parked"},
    {"BARO_KAFKA_BROKERS",         SETTING_TEXT,        "",            AT(kafka.brokers),         0, 0, "where order events go: host:port,..; empty: nowhere"},
    {"BARO_KAFKA_TOPIC",           SETTING_TEXT,        "baro.orders", AT(kafka.topic),           0, 0, "the topic, keyed by order id"},
    {"BARO_KAFKA_TIMEOUT",         SETTING_DURATION_MS, "5s",          AT(kafka.timeout_ms),      100, 30000, "how long the brokers have to take an event"},
    {"BARO_KAFKA_SECURITY",        SETTING_TEXT,        "plaintext",   AT(kafka.security),        0, 0, "how to speak with the brokers: plaintext, ssl, sasl_ssl or sasl_plaintext"},
    {"BARO_KAFKA_CA",              SETTING_TEXT,        "",            AT(kafka.authority),       0, 0, "PEM file of those who sign for the brokers; empty: the system's"},
    {"BARO_KAFKA_CERT",            SETTING_TEXT,        "",            AT(kafka.certificate),     0, 0, "PEM file of the certificate that the brokers see; empty: none"},
    {"BARO_KAFKA_KEY",             SETTING_TEXT,        "",            AT(kafka.key),             0, 0, "PEM file of its key"},
    {"BARO_KAFKA_SASL",            SETTING_TEXT,        "",            AT(kafka.mechanism),       0, 0, "with sasl_..: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"},
    {"BARO_KAFKA_USER",            SETTING_TEXT,        "",            AT(kafka.user),            0, 0, "with sasl_..: who we are"},
    {"BARO_KAFKA_PASSWORD",        SETTING_SECRET,      "",            AT(kafka.password),        0, 0, "with sasl_..: our password"},
    {"BARO_WEBHOOK_URL",           SETTING_TEXT,        "",            AT(webhook.url),           0, 0, "where order events are POSTed (Standard Webhooks); empty: nowhere"},
    {"BARO_WEBHOOK_SECRET",        SETTING_SECRET,      "",            AT(webhook.secrets),       0, 0, "whsec_..; several, separated by spaces, while a key is rotated"},
    {"BARO_WEBHOOK_TIMEOUT",       SETTING_DURATION_MS, "5s",          AT(webhook.timeout_ms),    100, 30000, "how long the receiver has to answer"},
    {"BARO_WEBHOOK_CONCURRENCY",   SETTING_INTEGER,     "16",          AT(webhook.concurrency),   1, WEBHOOK_CONCURRENCY_MAX, "events on their way to the receiver at a time, of different orders"},
    {"BARO_WEBHOOK_ALLOW_PRIVATE", SETTING_BOOLEAN,     "off",         AT(webhook.allow_private), 0, 0, "whether the receiver may be on a private or loopback address"},
    {"BARO_SINK_RETRY",            SETTING_DURATION_MS, "1s",          AT(delivery.retry_first_ms), 10, 60000, "first pause after three fast tries; it doubles, up to a minute for a sink, 5 minutes for an event"},
    {"BARO_SINK_TRIES",            SETTING_INTEGER,     "12",          AT(delivery.tries_max),    1, 1000, "tries of an event that the sink does not take while it takes others"},
    {"BARO_SINK_GIVE_UP",          SETTING_DURATION_MS, "1d",          AT(delivery.give_up_ms),   1000, 518400000, "how long an event waits for a sink that takes nothing"},
};
// clang-format on

static struct status started(void *service, struct service_runtime *runtime)
{
    return order_service_start(service, service_dispatcher(runtime), service_publisher(runtime));
}

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct order_settings settings;
    struct order_service service = {.settings = &settings};
    struct job jobs[ORDER_JOB_COUNT];
    service_settings_load_or_exit(argc, argv, SETTINGS, COUNT(SETTINGS), arena, &settings);
    struct status st = sinks_check(&settings);
    if (failed(st)) {
        fprintf(stderr, "baro-order: %s %s\n", st.field, st.message);
        return EXIT_BAD_SETTING;
    }
    order_jobs_init(&settings, jobs);
    return service_run(&settings.common, &(struct service_definition){
                                             .name = "order",
                                             .methods = &order_methods,
                                             .migrations = order_migrations,
                                             .migration_count = &order_migration_count,
                                             .jobs = jobs,
                                             .job_count = COUNT(jobs),
                                             .service = &service,
                                             .cork = order_service_cork,
                                             .uncork = order_service_uncork,
                                             .started = started,
                                             .stopping = order_service_stop,
                                             .stopped = order_service_destroy,
                                         });
}
