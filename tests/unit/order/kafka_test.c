// Events to librdkafka's own mock cluster, which speaks the real protocol, with brokers that come, go and
// fail.

#include "services/order/kafka.h"

#include "lib/base/clock.h"
#include "tests/unit/order/letters.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>
#include <string.h>

enum { BROKERS = 3, PARTITIONS = 4, READ_MS = 15000, PRODUCE = 0 }; // the API key of Produce

static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static struct kafka_settings settings;
static struct kafka *kafka;
static struct letters letters;
static struct arena *arena;

static void set_up(void)
{
    char words[256];
    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), words, sizeof(words));
    cr_assert(host, "%s", words);
    cluster = rd_kafka_mock_cluster_new(host, BROKERS);
    cr_assert(cluster);
    rd_kafka_mock_topic_create(cluster, "baro.orders", PARTITIONS, BROKERS);
    settings = (struct kafka_settings){.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
                                       .topic = "baro.orders",
                                       .timeout_ms = 2000};
    arena = arena_create();
    cr_assert(!failed(kafka_open(&settings, &kafka)));
}

static void tear_down(void)
{
    kafka_close(kafka);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    arena_destroy(arena);
}

TestSuite(kafka, .init = set_up, .fini = tear_down, .timeout = 60);

static void deliver(size_t count, int64_t orders)
{
    letters_write(&letters, arena, count, orders);
    kafka_deliver(kafka, &letters.lot);
}

static rd_kafka_t *open_consumer(void)
{
    char words[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", settings.brokers, words, sizeof(words));
    rd_kafka_conf_set(conf, "group.id", "test", words, sizeof(words));
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof(words));
    cr_assert(consumer, "%s", words);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(all, "baro.orders", i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, all);
    rd_kafka_topic_partition_list_destroy(all);
    return consumer;
}

// What a letter of the topic says; 0 when it is none.
static int64_t check_message(const rd_kafka_message_t *message, int64_t orders)
{
    rd_kafka_headers_t *headers;
    const void *id;
    size_t size;
    if (message->err)
        return 0;
    cr_assert(!rd_kafka_message_headers(message, &headers));
    cr_assert(!rd_kafka_header_get_last(headers, "id", &id, &size));
    int64_t event_id = strtoll((const char *)id + strlen("evt_"), NULL, 10);
    char key[24];
    int64_t order_id = (event_id - 1) % orders + 1;
    snprintf(key, sizeof(key), "%lld", (long long)order_id);
    cr_expect_eq(message->key_len, strlen(key));
    cr_expect_arr_eq(message->key, key, strlen(key));
    cr_expect_eq(message->len, letters.items[event_id - 1].body_size);
    return event_id;
}

// Reads until so many different events have come: those of one order in their order.
static void expect_in_topic(size_t count, int64_t orders)
{
    int64_t until_us = clock_monotonic_us() + READ_MS * US_PER_MS;
    int64_t last[LETTERS_MAX] = {0};
    size_t seen = 0;
    rd_kafka_t *consumer = open_consumer();
    while (seen < count) {
        cr_assert(clock_monotonic_us() < until_us, "%zu of %zu have come", seen, count);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        int64_t id = message ? check_message(message, orders) : 0;
        if (id > last[id % orders]) {
            seen++;
            last[id % orders] = id;
        }
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

Test(kafka, gets_events_keyed_by_order_and_in_their_order)
{
    deliver(100, 7);
    expect_verdicts(&letters, DELIVERED);
    expect_in_topic(100, 7);
}

Test(kafka, gets_events_in_spite_of_errors_of_its_brokers)
{
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 4, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    settings.timeout_ms = 10000;
    kafka_close(kafka);
    cr_assert(!failed(kafka_open(&settings, &kafka)));
    deliver(50, 5);
    expect_verdicts(&letters, DELIVERED);
    expect_in_topic(50, 5);
}

Test(kafka, says_in_time_that_nobody_is_there_and_goes_on_when_they_are_back)
{
    for (int i = 1; i <= BROKERS; i++)
        rd_kafka_mock_broker_set_down(cluster, i);
    int64_t began_us = clock_monotonic_us();
    deliver(10, 10);
    expect_verdicts(&letters, UNREACHABLE);
    cr_expect_lt(clock_monotonic_us() - began_us, 10 * US_PER_S);
    for (int i = 1; i <= BROKERS; i++)
        rd_kafka_mock_broker_set_up(cluster, i);
    for (int tries = 0; tries < 10; tries++) {
        deliver(10, 10);
        if (letters.items[0].verdict == DELIVERED)
            break;
    }
    expect_verdicts(&letters, DELIVERED);
    expect_in_topic(10, 10);
}

// Such an answer to the first message in line is the end of an idempotent producer.
Test(kafka, gets_events_from_a_new_producer_when_one_is_at_its_end)
{
    deliver(4, 4);
    expect_verdicts(&letters, DELIVERED);
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    deliver(1, 1);
    expect_verdicts(&letters, UNREACHABLE);
    deliver(4, 4);
    expect_verdicts(&letters, DELIVERED);
}

Test(kafka, refuses_what_is_too_large_and_takes_the_rest)
{
    letters_write(&letters, arena, 3, 3);
    letters.items[1].body_size = 2 * 1024 * 1024;
    letters.items[1].body = memset(arena_alloc(arena, 2 * 1024 * 1024), 'x', 2 * 1024 * 1024);
    kafka_deliver(kafka, &letters.lot);
    cr_expect_eq(letters.items[0].verdict, DELIVERED);
    cr_expect_eq(letters.items[1].verdict, REFUSED);
    cr_expect_eq(letters.items[2].verdict, DELIVERED);
}

Test(kafka, is_not_waited_for_when_the_service_ends)
{
    settings.timeout_ms = 30000;
    kafka_close(kafka);
    cr_assert(!failed(kafka_open(&settings, &kafka)));
    for (int i = 1; i <= BROKERS; i++)
        rd_kafka_mock_broker_set_down(cluster, i);
    letters_write(&letters, arena, 5, 5);
    atomic_store(&letters.stop, true);
    int64_t began_us = clock_monotonic_us();
    kafka_deliver(kafka, &letters.lot);
    cr_expect_lt(clock_monotonic_us() - began_us, 5 * US_PER_S);
    expect_verdicts(&letters, UNREACHABLE);
}

static void expect_refused(struct kafka_settings bad, const char *setting)
{
    struct kafka *none = NULL;
    bad.brokers = settings.brokers;
    struct status st = kafka_open(&bad, &none);
    cr_expect(failed(st) && !none, "%s", setting);
    cr_expect_str_eq(st.field ? st.field : "", setting, "%s", st.message);
    cr_expect(!st.message || !strstr(st.message, "hush"), "a password is shown: %s", st.message);
}

Test(kafka, settings_that_cannot_be_secure_are_refused_by_name)
{
    expect_refused((struct kafka_settings){.security = "tls"}, "BARO_KAFKA_SECURITY");
    expect_refused((struct kafka_settings){.security = "ssl", .authority = "/nowhere.pem"},
                   "BARO_KAFKA_SECURITY");
    expect_refused((struct kafka_settings){.security = "ssl", .certificate = "/nowhere.pem"},
                   "BARO_KAFKA_SECURITY");
    expect_refused(
        (struct kafka_settings){
            .security = "sasl_ssl", .mechanism = "ROT13", .user = "a", .password = "hush"},
        "BARO_KAFKA_SECURITY");
    expect_refused((struct kafka_settings){.security = "sasl_ssl", .mechanism = "SCRAM-SHA-512"},
                   "BARO_KAFKA_SECURITY");
}

// The mock brokers speak no TLS.
Test(kafka, gets_nothing_in_the_clear_when_tls_is_asked_for)
{
    settings.security = "ssl";
    kafka_close(kafka);
    cr_assert(!failed(kafka_open(&settings, &kafka)));
    deliver(1, 1);
    expect_verdicts(&letters, UNREACHABLE);
}
