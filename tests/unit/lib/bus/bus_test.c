// Publishers and subscribers in one process, over loopback.

#include "lib/bus/bus.h"

#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/nng.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <nng/protocol/pubsub0/pub.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER_SECRET "a secret that nobody shares"

// What one subscriber heard.
struct ear {
    struct subscriber *subscriber;
    atomic_size_t messages, events, commands, replies;
    atomic_size_t wrong; // of another topic than `topic`
    const char *topic;
    atomic_int_fast64_t last_id, id_sum;
};

static struct publisher *publisher;
static char address[64];

static void start_publisher(const char *listen)
{
    struct status st = publisher_start(listen, STAND_SECRET, &publisher);
    cr_assert(!failed(st), "%s", st.message);
}

static void given_publisher(void)
{
    struct status st = nng_prepare();
    cr_assert(!failed(st), "%s", st.message);
    start_publisher("tcp://127.0.0.1:0");
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", publisher_port(publisher));
}

static void end_publisher(void)
{
    publisher_destroy(publisher);
}

TestSuite(bus, .init = given_publisher, .fini = end_publisher, .timeout = 60);

static void heard(void *arg, const Baro__BusMessage *message)
{
    struct ear *ear = arg;
    if (strcmp(message->topic, ear->topic) != 0)
        atomic_fetch_add(&ear->wrong, 1);
    for (size_t i = 0; i < message->n_events; i++) {
        atomic_store(&ear->last_id, message->events[i]->id);
        atomic_fetch_add(&ear->id_sum, message->events[i]->id);
    }
    atomic_fetch_add(&ear->commands, message->n_commands);
    atomic_fetch_add(&ear->replies, message->n_replies);
    atomic_fetch_add(&ear->events, message->n_events);
    atomic_fetch_add(&ear->messages, 1);
}

static void say(const char *topic, int64_t id)
{
    Baro__Event event;
    Baro__BusMessage message;
    baro__event__init(&event);
    baro__bus_message__init(&message);
    event.id = id;
    Baro__Event *events[] = {&event};
    message.events = events;
    message.n_events = 1;
    publish(publisher, topic, &message);
}

static bool has_heard_after_saying(void *arg)
{
    struct ear *ear = arg;
    say(ear->topic, 0);
    return atomic_load(&ear->messages) > 0;
}

// Nobody says when a subscription has reached the publisher: say something until it is heard.
static void await_connection(struct ear *ear)
{
    cr_assert(stand_wait(has_heard_after_saying, ear, 10 * 1000));
}

static void listen_to(struct ear *ear, const char *topic, const char *secret)
{
    *ear = (struct ear){.topic = topic};
    struct status st = subscriber_start(address, secret, heard, ear, &ear->subscriber);
    cr_assert(!failed(st), "%s", st.message);
    subscriber_set_topics(ear->subscriber, &topic, 1);
}

struct expected {
    struct ear *ear;
    int64_t id;
    size_t count;
};

static bool has_last_id(void *arg)
{
    struct expected *expected = arg;
    return atomic_load(&expected->ear->last_id) == expected->id;
}

static void expect_last(struct ear *ear, int64_t id)
{
    struct expected expected = {.ear = ear, .id = id};
    cr_expect(stand_wait(has_last_id, &expected, 5000));
}

Test(bus, each_subscriber_hears_its_own_topic_only)
{
    struct ear first, second;
    listen_to(&first, "saga.user.1", STAND_SECRET);
    listen_to(&second, "saga.user.10", STAND_SECRET);
    await_connection(&first);
    await_connection(&second);
    for (int64_t id = 1; id <= 100; id++) {
        say("saga.user.1", id);
        say("saga.user.10", -id);
        say("saga.user", 1000);
        say("saga.user.100", 1000);
    }
    expect_last(&first, 100);
    expect_last(&second, -100);
    cr_expect_eq(atomic_load(&first.id_sum), 5050);
    cr_expect_eq(atomic_load(&second.id_sum), -5050);
    cr_expect_eq(first.wrong + second.wrong, 0);
    subscriber_destroy(first.subscriber);
    subscriber_destroy(second.subscriber);
}

Test(bus, topics_can_be_changed_while_it_hears)
{
    struct ear ear;
    listen_to(&ear, "a", STAND_SECRET);
    await_connection(&ear);
    const char *topics[] = {"b", "c"};
    subscriber_set_topics(ear.subscriber, topics, 2);
    say("a", 1);
    say("b", 2);
    expect_last(&ear, 2);
    say("c", 3);
    expect_last(&ear, 3);
    cr_expect_eq(atomic_load(&ear.id_sum), 2 + 3);
    subscriber_set_topics(ear.subscriber, NULL, 0);
    subscriber_destroy(ear.subscriber);
}

static bool has_noise(void *arg)
{
    return metric_value(arg) > 0;
}

Test(bus, messages_sealed_with_another_secret_are_noise)
{
    struct ear friend, stranger;
    struct metric *noise = metrics_counter("baro_bus_noise_total", "", NULL);
    listen_to(&friend, "a", STAND_SECRET);
    await_connection(&friend);
    listen_to(&stranger, "a", OTHER_SECRET);
    int64_t until = 10 * 1000;
    while (!has_noise(noise) && until-- > 0) {
        say("a", 1);
        stand_wait(has_noise, noise, 10);
    }
    cr_expect(has_noise(noise));
    cr_expect_eq(stranger.messages, 0);
    subscriber_destroy(friend.subscriber);
    subscriber_destroy(stranger.subscriber);
}

Test(bus, nonsense_is_dropped_and_what_follows_is_heard)
{
    nng_socket liar;
    nng_listener listener;
    int port;
    struct ear ear;
    struct metric *noise = metrics_counter("baro_bus_noise_total", "", NULL);
    cr_assert_eq(nng_pub0_open(&liar), 0);
    cr_assert_eq(nng_listen(liar, "tcp://127.0.0.1:0", &listener, 0), 0);
    cr_assert_eq(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port), 0);
    size_t length = strlen(address);
    snprintf(address + length, sizeof(address) - length, ",tcp://127.0.0.1:%d", port);
    listen_to(&ear, "a", STAND_SECRET);
    await_connection(&ear);
    for (int i = 0; i < 10000 && metric_value(noise) < 3; i++) {
        nng_send(liar, (void *)(uintptr_t)"a\0nonsense that is longer than a seal", 37, 0);
        nng_send(liar, (void *)(uintptr_t)"a\0x", 3, 0);
        stand_wait(has_noise, noise, 5);
    }
    cr_expect_geq(metric_value(noise), 3);
    say("a", 42);
    expect_last(&ear, 42);
    subscriber_destroy(ear.subscriber);
    nng_close(liar);
}

static bool has_events(void *arg)
{
    struct expected *expected = arg;
    return atomic_load(&expected->ear->events) >= expected->count;
}

Test(bus, a_message_that_is_too_large_arrives_in_parts)
{
    enum { EVENTS = 5000, PAYLOAD = 300 };
    SCOPED(arena) *arena = arena_create();
    struct ear ear;
    listen_to(&ear, "a", STAND_SECRET);
    await_connection(&ear);
    size_t before = atomic_load(&ear.events), messages = atomic_load(&ear.messages);

    Baro__Event **events = arena_array(arena, EVENTS, sizeof(*events));
    for (int64_t i = 0; i < EVENTS; i++) {
        events[i] = arena_alloc(arena, sizeof(Baro__Event));
        baro__event__init(events[i]);
        events[i]->id = i + 1;
        events[i]->payload.data = arena_alloc(arena, PAYLOAD);
        events[i]->payload.len = PAYLOAD;
    }
    Baro__RpcReply reply;
    Baro__RpcReply *replies[] = {&reply};
    envelope_fill_status(&reply, OK);
    Baro__BusMessage message;
    baro__bus_message__init(&message);
    message.events = events;
    message.n_events = EVENTS;
    message.replies = replies;
    message.n_replies = 1;
    publish(publisher, "a", &message);

    struct expected expected = {.ear = &ear, .count = before + EVENTS};
    cr_expect(stand_wait(has_events, &expected, 5000));
    cr_expect_eq(atomic_load(&ear.id_sum), (int64_t)EVENTS * (EVENTS + 1) / 2);
    cr_expect_eq(ear.replies, 1);
    cr_expect_geq(ear.messages - messages, EVENTS * PAYLOAD / MESSAGE_MAX);
    subscriber_destroy(ear.subscriber);
}

Test(bus, one_item_that_is_too_large_is_dropped_and_counted)
{
    struct metric *dropped = metrics_counter("baro_bus_publish_failed_total", "", NULL);
    struct ear ear;
    listen_to(&ear, "a", STAND_SECRET);
    await_connection(&ear);
    Baro__Event event;
    Baro__BusMessage message;
    baro__event__init(&event);
    baro__bus_message__init(&message);
    event.payload.len = 2 * MESSAGE_MAX;
    event.payload.data = calloc(1, event.payload.len);
    Baro__Event *events[] = {&event};
    message.events = events;
    message.n_events = 1;
    publish(publisher, "a", &message);
    cr_expect_eq(metric_value(dropped), 1);
    say("a", 7);
    expect_last(&ear, 7);
    free(event.payload.data);
    subscriber_destroy(ear.subscriber);
}

static bool has_heard_after_restart(void *arg)
{
    struct expected *expected = arg;
    say(expected->ear->topic, expected->id);
    return has_last_id(arg);
}

Test(bus, a_publisher_that_comes_back_is_heard_again)
{
    struct ear ear;
    listen_to(&ear, "a", STAND_SECRET);
    await_connection(&ear);
    publisher_destroy(publisher);
    start_publisher(address);
    struct expected expected = {.ear = &ear, .id = 77};
    cr_expect(stand_wait(has_heard_after_restart, &expected, 10 * 1000));
    subscriber_destroy(ear.subscriber);
}

Test(bus, a_port_that_is_taken_is_an_error)
{
    struct publisher *second = NULL;
    struct status st = publisher_start(address, STAND_SECRET, &second);
    cr_expect(failed(st));
    cr_expect_null(second);
}
