// Order events outside the shop: a webhook receiver and a Kafka cluster of the test's own, to which the
// order service's replicas are pointed. Both get exactly the changes of an order's timeline.

#include "lib/base/clock.h"
#include "tests/support/receiver.h"
#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARRIVE_MS = 45000, CHANGES_MAX = 16, KEY_SIZE = 24, PRICE = 1000 };

// "whsec_" and this in base64.
static const uint8_t key[KEY_SIZE] = "a key of 24 bytes, ascii";
static char secret[80];

static struct receiver *receiver;
static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static struct http_client *admin, *customer;
static int64_t option;

// The order whose payment the receiver refuses; 0: none. How long it thinks.
static atomic_llong refused;
static atomic_int delay_ms;

static int64_t order_of(const json_t *body)
{
    return json_number(body, "data.order_id");
}

static struct conduct decide(void *context, const struct parcel *parcel)
{
    (void)context;
    json_t *body = json_loads(parcel->body, 0, NULL);
    bool refuse = order_of(body) == atomic_load(&refused) &&
                  strcmp(json_word(body, "type"), "order.paid") == 0;
    json_decref(body);
    return (struct conduct){.status = refuse ? 410 : 204, .delay_ms = atomic_load(&delay_ms)};
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
}

static void start_orders(void)
{
    for (int i = 0; i < stack_replicas(); i++)
        stack_start("order", i);
    int64_t until_us = clock_monotonic_us() + ARRIVE_MS * US_PER_MS;
    while (http_call(customer, "GET", "/me/orders", NULL).status != 200) {
        cr_assert_lt(clock_monotonic_us(), until_us, "the order service does not come back");
        pause_briefly();
    }
}

static void restart_orders(void)
{
    for (int i = 0; i < stack_replicas(); i++)
        stack_stop("order", i);
    start_orders();
}

static void open_kafka(void)
{
    char words[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof words);
    cr_assert(host, "%s", words);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    rd_kafka_mock_topic_create(cluster, "baro.orders", 1, 1);
}

static void set_up(void)
{
    char text[64];
    sodium_bin2base64(text, sizeof text, key, KEY_SIZE, sodium_base64_VARIANT_ORIGINAL);
    snprintf(secret, sizeof secret, "whsec_%s", text);
    receiver = receiver_open(decide, NULL);
    open_kafka();
    setenv("BARO_WEBHOOK_URL", receiver_url(receiver), 1);
    setenv("BARO_WEBHOOK_SECRET", secret, 1);
    setenv("BARO_WEBHOOK_ALLOW_PRIVATE", "on", 1);
    setenv("BARO_WEBHOOK_TIMEOUT", "1s", 1); // leases last accordingly
    setenv("BARO_KAFKA_TIMEOUT", "1s", 1);
    setenv("BARO_SINK_RETRY", "100ms", 1);
    setenv("BARO_KAFKA_BROKERS", rd_kafka_mock_cluster_bootstraps(cluster), 1);
    admin = given_admin();
    customer = given_customer(50 * PRICE);
    option = given_option(PRICE, 100);
    restart_orders();
}

static void tear_down(void)
{
    atomic_store(&delay_ms, 0);
    unsetenv("BARO_WEBHOOK_URL");
    unsetenv("BARO_KAFKA_BROKERS");
    restart_orders();
    http_close(customer);
    http_close(admin);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    receiver_close(receiver);
}

TestSuite(sinks, .init = set_up, .fini = tear_down);

static int64_t paid_order(void)
{
    char path[64];
    int64_t order_id = place_order(customer, option, 1, 0);
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    http_next_header(customer, "Prefer: wait=10");
    expect_reply(http_call(customer, "POST", path, "{}"), 200, NULL);
    return order_id;
}

static void move_on(int64_t order_id, const char *status)
{
    char path[64];
    snprintf(path, sizeof path, "/admin/orders/%lld/status", (long long)order_id);
    expect_reply(http_call(admin, "PATCH", path, "{\"status\": \"%s\"}", status), 200, NULL);
}

// Statuses of one order, in the order in which they came, each event once.
struct changes {
    size_t count;
    char ids[CHANGES_MAX][64];
    char statuses[CHANGES_MAX][24];
};

static void note_change(struct changes *changes, const char *id, const json_t *body)
{
    for (size_t i = 0; i < changes->count; i++)
        if (strcmp(changes->ids[i], id) == 0)
            return; // at least once
    cr_assert_lt(changes->count, CHANGES_MAX);
    snprintf(changes->ids[changes->count], sizeof changes->ids[0], "%s", id);
    snprintf(changes->statuses[changes->count++], sizeof changes->statuses[0], "%s",
             json_word(body, "data.status"));
    cr_expect_eq(json_number(body, "data.version"), (int64_t)changes->count);
    cr_expect_str_not_empty(json_word(body, "timestamp"));
}

static struct changes changes_received(int64_t order_id)
{
    struct changes changes = {.count = 0};
    for (size_t i = 0; i < receiver_count(receiver); i++) {
        const struct parcel *parcel = receiver_parcel(receiver, i);
        json_t *body = json_loads(parcel->body, 0, NULL);
        if (order_of(body) == order_id && parcel->status == 204)
            note_change(&changes, parcel->id, body);
        json_decref(body);
    }
    return changes;
}

static void expect_timeline(const struct changes *changes, int64_t order_id)
{
    char path[64], at[48];
    snprintf(path, sizeof path, "/orders/%lld", (long long)order_id);
    struct http_reply reply = http_call(customer, "GET", path, NULL);
    expect_reply(reply, 200, NULL);
    cr_assert_eq(changes->count, json_array_size(json_at(reply.json, "timeline")));
    for (size_t i = 0; i < changes->count; i++) {
        snprintf(at, sizeof at, "timeline.%zu.status", i);
        cr_expect_str_eq(changes->statuses[i], json_word(reply.json, at));
    }
}

static void await_changes(int64_t order_id, size_t count)
{
    int64_t until_us = clock_monotonic_us() + ARRIVE_MS * US_PER_MS;
    size_t seen;
    while ((seen = changes_received(order_id).count) < count) {
        cr_assert_lt(clock_monotonic_us(), until_us, "%zu of %zu changes of order %lld", seen,
                     count, (long long)order_id);
        pause_briefly();
    }
}

static void expect_signed(const struct parcel *parcel)
{
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char text[64], head[128], expected[80];
    snprintf(head, sizeof head, "%s.%s.", parcel->id, parcel->timestamp);
    crypto_auth_hmacsha256_init(&state, key, KEY_SIZE);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)head, strlen(head));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)parcel->body, strlen(parcel->body));
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(text, sizeof text, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
    snprintf(expected, sizeof expected, "v1,%s", text);
    cr_expect_str_eq(parcel->signature, expected);
}

static rd_kafka_t *open_consumer(void)
{
    char words[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), words,
                      sizeof words);
    rd_kafka_conf_set(conf, "group.id", "test", words, sizeof words);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof words);
    cr_assert(consumer, "%s", words);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(all, "baro.orders", 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, all);
    rd_kafka_topic_partition_list_destroy(all);
    return consumer;
}

static void note_message(struct changes *changes, const rd_kafka_message_t *message,
                         int64_t order_id)
{
    char wanted[24], id[64];
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    snprintf(wanted, sizeof wanted, "%lld", (long long)order_id);
    if (message->err || message->key_len != strlen(wanted) ||
        memcmp(message->key, wanted, message->key_len) != 0)
        return;
    cr_assert(!rd_kafka_message_headers(message, &headers));
    cr_assert(!rd_kafka_header_get_last(headers, "id", &value, &size));
    snprintf(id, sizeof id, "%.*s", (int)size, (const char *)value);
    json_t *body = json_loadb(message->payload, message->len, 0, NULL);
    note_change(changes, id, body);
    json_decref(body);
}

static struct changes changes_in_topic(int64_t order_id, size_t count)
{
    struct changes changes = {.count = 0};
    int64_t until_us = clock_monotonic_us() + ARRIVE_MS * US_PER_MS;
    rd_kafka_t *consumer = open_consumer();
    while (changes.count < count && clock_monotonic_us() < until_us) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (!message)
            continue;
        note_message(&changes, message, order_id);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return changes;
}

Test(sinks, get_the_changes_of_an_order_signed_and_in_order)
{
    enum { CHANGES = 6 }; // PENDING, PAYING, PAID and these
    int64_t order_id = paid_order();
    move_on(order_id, "PREPARING");
    move_on(order_id, "SHIPPING");
    move_on(order_id, "DELIVERED");
    await_changes(order_id, CHANGES);

    struct changes received = changes_received(order_id);
    expect_timeline(&received, order_id);
    for (size_t i = 0; i < receiver_count(receiver); i++)
        expect_signed(receiver_parcel(receiver, i));
    struct changes in_topic = changes_in_topic(order_id, CHANGES);
    expect_timeline(&in_topic, order_id);
    expect_laws_hold();
}

Test(sinks, that_are_away_cost_no_order_and_get_everything_afterwards)
{
    enum { ORDERS = 8, CHANGES = 3 };
    int64_t orders[ORDERS];
    receiver_pause(receiver);
    rd_kafka_mock_broker_set_down(cluster, 1);
    for (int i = 0; i < ORDERS; i++) {
        int64_t began_us = clock_monotonic_us();
        orders[i] = paid_order();
        cr_expect_lt(clock_monotonic_us() - began_us, 5 * US_PER_S);
    }
    cr_expect_eq(changes_received(orders[0]).count, 0);
    rd_kafka_mock_broker_set_up(cluster, 1);
    receiver_resume(receiver);
    for (int i = 0; i < ORDERS; i++) {
        await_changes(orders[i], CHANGES);
        struct changes received = changes_received(orders[i]);
        expect_timeline(&received, orders[i]);
    }
    struct changes in_topic = changes_in_topic(orders[ORDERS - 1], CHANGES);
    expect_timeline(&in_topic, orders[ORDERS - 1]);
    expect_laws_hold();
}

Test(sinks, lose_nothing_when_those_who_deliver_are_killed)
{
    enum { ORDERS = 6, CHANGES = 3 };
    int64_t orders[ORDERS];
    atomic_store(&delay_ms, 800); // so that they are killed in the middle
    for (int i = 0; i < ORDERS; i++)
        orders[i] = paid_order();
    for (int i = 0; i < stack_replicas(); i++)
        stack_signal("order", i, SIGKILL);
    cr_expect_lt(changes_received(orders[ORDERS - 1]).count, CHANGES);
    atomic_store(&delay_ms, 0);
    start_orders();
    for (int i = 0; i < ORDERS; i++) {
        await_changes(orders[i], CHANGES);
        struct changes received = changes_received(orders[i]);
        expect_timeline(&received, orders[i]);
    }
    struct changes in_topic = changes_in_topic(orders[ORDERS - 1], CHANGES);
    expect_timeline(&in_topic, orders[ORDERS - 1]);
    expect_laws_hold();
}

// The dead letter of an order: its id, once it has this state; the state is "" when there is none yet.
static int64_t await_letter(int64_t order_id, const char *state)
{
    int64_t until_us = clock_monotonic_us() + ARRIVE_MS * US_PER_MS;
    for (;; pause_briefly()) {
        struct http_reply reply =
            http_call(admin, "GET", "/admin/dead-letters?sink=webhook&page_size=100", NULL);
        size_t i;
        json_t *letter;
        expect_reply(reply, 200, NULL);
        json_array_foreach (json_at(reply.json, "items"), i, letter) {
            if (json_number(letter, "order_id") == order_id &&
                strcmp(json_word(letter, "state"), state) == 0)
                return json_number(letter, "id");
        }
        cr_assert_lt(clock_monotonic_us(), until_us, "no letter is %s", state);
    }
}

static struct http_reply replay(struct http_client *client, int64_t letter_id)
{
    char path[64];
    snprintf(path, sizeof path, "/admin/dead-letters/%lld/replay", (long long)letter_id);
    return http_call(client, "POST", path, "{}");
}

Test(sinks, give_refused_events_up_and_get_them_replayed)
{
    enum { CHANGES = 3 };
    paid_order(); // something gets through
    int64_t order_id = place_order(customer, option, 1, 0);
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    atomic_store(&refused, order_id);
    http_next_header(customer, "Prefer: wait=10");
    expect_reply(http_call(customer, "POST", path, "{}"), 200, NULL);
    int64_t letter_id = await_letter(order_id, "DEAD");
    move_on(order_id, "PREPARING"); // what follows arrives nevertheless

    expect_reply(replay(customer, letter_id), 403, "FORBIDDEN");
    expect_reply(replay(admin, letter_id + 1000), 404, "DEAD_LETTER_NOT_FOUND");
    atomic_store(&refused, 0);
    struct http_reply reply = replay(admin, letter_id);
    expect_reply(reply, 202, NULL);
    cr_expect_str_eq(json_word(reply.json, "kind"), "order.paid");
    cr_expect_str_eq(json_word(reply.json, "error"), "HTTP 410");
    cr_expect_eq(await_letter(order_id, "REPLAYED"), letter_id);
    expect_reply(replay(admin, letter_id), 202, NULL);
    cr_expect_eq(await_letter(order_id, "REPLAYED"), letter_id);

    size_t paid = 0, all = 0;
    for (size_t i = 0; i < receiver_count(receiver); i++) {
        const struct parcel *parcel = receiver_parcel(receiver, i);
        json_t *body = json_loads(parcel->body, 0, NULL);
        bool counts = order_of(body) == order_id && parcel->status == 204;
        all += counts;
        paid += counts && strcmp(json_word(body, "type"), "order.paid") == 0;
        json_decref(body);
    }
    cr_expect_eq(paid, 1);
    cr_expect_geq(all, CHANGES);
    expect_laws_hold();
}
