// The two ends of pub/sub.
//
// A subscriber asks nng for the topic together with its closing NUL, so nng's prefix match is an
// exact match. Its dialers follow the resolver; nng reconnects each of them by itself. What does not
// open with our key, or is not an envelope for the topic in front of it, is noise: counted, logged
// once a minute, dropped. A message that is too large is halved until its parts fit.

#include "lib/bus/bus.h"

#include "lib/base/faults.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/thread.h"
#include "lib/rpc/line.h"

#include <assert.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// nng's default of 16 loses nearly everything of a burst (DESIGN 5).
enum { QUEUE_LENGTH = 8192, LOG_PERIOD_MS = 60000 };

struct publisher {
    nng_socket socket;
    struct line *line;
    struct seal_key key;
    struct metric *published, *dropped;
};

struct dialer {
    char *url;
    struct line *line;
    bool wanted; // by the resolver's last answer
};

struct subscriber {
    nng_socket socket;
    struct seal_key key;
    bus_received *received;
    void *arg;
    pthread_t thread;
    struct resolver *resolver;
    struct dialer *dialers; // touched by the resolver's thread only
    size_t dialer_count;
    pthread_mutex_t lock; // of topics
    char **topics;
    size_t topic_count;
    struct metric *messages, *noise;
};

static struct log_throttle noise_log, dropped_log, dial_log;

static int listen_on(struct publisher *publisher, const char *url)
{
    int error = socket_set_common_options(publisher->socket);
    if (error == 0)
        error = nng_socket_set_int(publisher->socket, NNG_OPT_SENDBUF, QUEUE_LENGTH);
    if (error == 0)
        error = line_listen(publisher->socket, url, &publisher->line);
    return error;
}

struct status publisher_start(const char *listen, const char *secret, struct publisher **out)
{
    struct seal_key key;
    struct status st = seal_key_init(&key, secret);
    if (failed(st))
        return st;

    nng_socket socket;
    int error = nng_pub0_open(&socket);
    if (error != 0)
        return status_of_nng(error);
    struct publisher *publisher = memory_alloc(sizeof(*publisher));
    publisher->socket = socket;
    publisher->key = key;
    publisher->published = metrics_counter("baro_bus_published_total", "Messages published.", NULL);
    publisher->dropped = metrics_counter("baro_bus_publish_failed_total",
                                         "Messages that could not be published.", NULL);
    error = listen_on(publisher, listen);
    if (error != 0) {
        publisher_destroy(publisher);
        return status_of_nng(error);
    }
    *out = publisher;
    return OK;
}

int publisher_port(const struct publisher *publisher)
{
    return line_port(publisher->line);
}

void publisher_destroy(struct publisher *publisher)
{
    if (!publisher)
        return;
    line_close(publisher->line);
    nng_close(publisher->socket);
    free(publisher);
}

static int send_message(struct publisher *publisher, const Baro__BusMessage *message, size_t size)
{
    size_t prefix = strlen(message->topic) + 1;
    nng_msg *msg;
    int error = nng_msg_alloc(&msg, prefix + size);
    if (error != 0)
        return error;
    char *body = nng_msg_body(msg);
    memcpy(body, message->topic, prefix);
    baro__bus_message__pack(message, (uint8_t *)body + prefix);
    error = seal(&publisher->key, msg);
    if (error == 0)
        error = nng_sendmsg(publisher->socket, msg, NNG_FLAG_NONBLOCK);
    if (error != 0)
        nng_msg_free(msg);
    return error;
}

// The items that a list of `count` has inside [*from, *to) of a sequence whose next part it is;
// moves the window on to the list behind it.
static size_t cut(size_t count, size_t *from, size_t *to, size_t *first)
{
    size_t end = *to < count ? *to : count;
    *first = *from < count ? *from : count;
    *from -= *first;
    *to -= end;
    return end - *first;
}

// The message with only the items [from, to), counted over commands, replies and events in a row.
static Baro__BusMessage slice(const Baro__BusMessage *message, size_t from, size_t to)
{
    Baro__BusMessage part = *message;
    size_t first;
    part.n_commands = cut(message->n_commands, &from, &to, &first);
    part.commands += first;
    part.n_replies = cut(message->n_replies, &from, &to, &first);
    part.replies += first;
    part.n_events = cut(message->n_events, &from, &to, &first);
    part.events += first;
    return part;
}

static void publish_part(struct publisher *publisher, const Baro__BusMessage *message)
{
    size_t size = baro__bus_message__get_packed_size(message);
    size_t items = message->n_commands + message->n_replies + message->n_events;
    bool too_large = strlen(message->topic) + 1 + size + SEAL_SIZE > MESSAGE_MAX;
    if (too_large && items > 1) {
        Baro__BusMessage half = slice(message, 0, items / 2);
        publish_part(publisher, &half);
        half = slice(message, items / 2, items);
        publish_part(publisher, &half);
        return;
    }
    // Its receivers would hang up on us.
    int error = too_large ? NNG_EMSGSIZE : send_message(publisher, message, size);
    metric_add(error == 0 ? publisher->published : publisher->dropped, 1);
    if (error != 0 && log_once_per(&dropped_log, LOG_PERIOD_MS))
        log_warn("message not published", log_text("topic", message->topic),
                 log_text("error", nng_strerror(error)));
}

void publish(struct publisher *publisher, const char *topic, const Baro__BusMessage *message)
{
    char name[TOPIC_LENGTH_MAX + 1];
    size_t length = strlen(topic);
    assert(length < sizeof(name));
    if (faults_drop_bus())
        return;
    memcpy(name, topic, length + 1);
    Baro__BusMessage copy = *message;
    copy.topic = name;
    publish_part(publisher, &copy);
}

// Topics

// The closing NUL belongs to what nng compares: a prefix match of it is an exact match.
static int follow(struct subscriber *subscriber, const char *topic, bool on)
{
    return nng_socket_set(subscriber->socket, on ? NNG_OPT_SUB_SUBSCRIBE : NNG_OPT_SUB_UNSUBSCRIBE,
                          topic, strlen(topic) + 1);
}

static bool contains(const char *const *topics, size_t count, const char *topic)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(topics[i], topic) == 0)
            return true;
    return false;
}

void subscriber_set_topics(struct subscriber *subscriber, const char *const *topics, size_t count)
{
    pthread_mutex_lock(&subscriber->lock);
    const char *const *old = (const char *const *)subscriber->topics;
    for (size_t i = 0; i < count; i++)
        if (!contains(old, subscriber->topic_count, topics[i]))
            follow(subscriber, topics[i], true);
    for (size_t i = 0; i < subscriber->topic_count; i++)
        if (!contains(topics, count, old[i]))
            follow(subscriber, old[i], false);

    char **fresh = memory_array(count, sizeof(*fresh));
    for (size_t i = 0; i < count; i++)
        fresh[i] = memory_text(topics[i]);
    for (size_t i = 0; i < subscriber->topic_count; i++)
        free(subscriber->topics[i]);
    free(subscriber->topics);
    subscriber->topics = fresh;
    subscriber->topic_count = count;
    pthread_mutex_unlock(&subscriber->lock);
}

// Dialers

static struct dialer *find_dialer(struct subscriber *subscriber, const char *url)
{
    for (size_t i = 0; i < subscriber->dialer_count; i++)
        if (strcmp(subscriber->dialers[i].url, url) == 0)
            return &subscriber->dialers[i];
    return NULL;
}

static void add_dialer(struct subscriber *subscriber, const char *url)
{
    struct line *line;
    int error = line_dial(subscriber->socket, url, &line);
    if (error != 0) {
        if (log_once_per(&dial_log, LOG_PERIOD_MS))
            log_warn("publisher cannot be dialed", log_text("url", url),
                     log_text("error", nng_strerror(error)));
        return;
    }
    size_t count = subscriber->dialer_count + 1;
    subscriber->dialers = memory_resize(subscriber->dialers, count, sizeof(*subscriber->dialers));
    subscriber->dialers[count - 1] = (struct dialer){memory_text(url), line, true};
    subscriber->dialer_count = count;
}

static void drop_unwanted_dialers(struct subscriber *subscriber)
{
    size_t kept = 0;
    for (size_t i = 0; i < subscriber->dialer_count; i++) {
        struct dialer *dialer = &subscriber->dialers[i];
        if (dialer->wanted) {
            subscriber->dialers[kept++] = *dialer;
        } else {
            line_close(dialer->line);
            free(dialer->url);
        }
    }
    subscriber->dialer_count = kept;
}

static void addresses_changed(void *arg, const char *const *urls, size_t count)
{
    struct subscriber *subscriber = arg;
    for (size_t i = 0; i < subscriber->dialer_count; i++)
        subscriber->dialers[i].wanted = contains(urls, count, subscriber->dialers[i].url);
    drop_unwanted_dialers(subscriber);
    for (size_t i = 0; i < count; i++)
        if (!find_dialer(subscriber, urls[i]))
            add_dialer(subscriber, urls[i]);
}

// Receiving

// The envelope inside a message of ours; NULL for noise.
static const Baro__BusMessage *open_message(struct subscriber *subscriber, nng_msg *msg,
                                            struct arena *arena)
{
    if (!seal_open(&subscriber->key, msg))
        return NULL;
    const char *topic = nng_msg_body(msg);
    size_t size = nng_msg_len(msg);
    size_t prefix = strnlen(topic, size) + 1;
    if (prefix > size)
        return NULL;
    const ProtobufCMessage *message = protobuf_unpack(&baro__bus_message__descriptor, size - prefix,
                                                      (const uint8_t *)topic + prefix, arena);
    const Baro__BusMessage *envelope = (const Baro__BusMessage *)message;
    return envelope && strcmp(envelope->topic, topic) == 0 ? envelope : NULL;
}

static void receive(struct subscriber *subscriber, nng_msg *msg, struct arena *arena)
{
    const Baro__BusMessage *message = open_message(subscriber, msg, arena);
    metric_add(message ? subscriber->messages : subscriber->noise, 1);
    if (message)
        subscriber->received(subscriber->arg, message);
    else if (log_once_per(&noise_log, LOG_PERIOD_MS))
        log_warn("noise on the bus", log_int("bytes", (int64_t)nng_msg_len(msg)));
}

static void *receive_all(void *arg)
{
    struct subscriber *subscriber = arg;
    SCOPED(arena) *arena = arena_create();
    nng_msg *msg;
    int error;

    while ((error = nng_recvmsg(subscriber->socket, &msg, 0)) != NNG_ECLOSED) {
        if (error != 0)
            continue;
        receive(subscriber, msg, arena);
        nng_msg_free(msg);
        arena_reset(arena);
    }
    return NULL;
}

static int open_subscriber(nng_socket *socket)
{
    int error = nng_sub0_open(socket);
    if (error != 0)
        return error;
    error = socket_set_common_options(*socket);
    if (error == 0)
        error = nng_socket_set_int(*socket, NNG_OPT_RECVBUF, QUEUE_LENGTH);
    // When the queue is full the new message goes: what is queued is older and waited for longer.
    if (error == 0)
        error = nng_socket_set_bool(*socket, NNG_OPT_SUB_PREFNEW, false);
    if (error != 0)
        nng_close(*socket);
    return error;
}

struct status subscriber_start(const char *addresses, const char *secret, bus_received *received,
                               void *arg, struct subscriber **out)
{
    struct seal_key key;
    nng_socket socket;
    struct status st = seal_key_init(&key, secret);
    if (failed(st))
        return st;
    int error = open_subscriber(&socket);
    if (error != 0)
        return status_of_nng(error);

    struct subscriber *subscriber = memory_alloc(sizeof(*subscriber));
    *subscriber = (struct subscriber){
        .socket = socket,
        .key = key,
        .received = received,
        .arg = arg,
        .messages = metrics_counter("baro_bus_received_total", "Messages received.", NULL),
        .noise = metrics_counter("baro_bus_noise_total", "Messages that are not ours.", NULL),
    };
    pthread_mutex_init(&subscriber->lock, NULL);
    thread_start(&subscriber->thread, receive_all, subscriber);
    subscriber->resolver = resolver_create(addresses, addresses_changed, subscriber);
    *out = subscriber;
    return OK;
}

void subscriber_destroy(struct subscriber *subscriber)
{
    if (!subscriber)
        return;
    resolver_destroy(subscriber->resolver);
    for (size_t i = 0; i < subscriber->dialer_count; i++) {
        line_close(subscriber->dialers[i].line);
        free(subscriber->dialers[i].url);
    }
    nng_close(subscriber->socket);
    pthread_join(subscriber->thread, NULL);
    free(subscriber->dialers);
    for (size_t i = 0; i < subscriber->topic_count; i++)
        free(subscriber->topics[i]);
    free(subscriber->topics);
    pthread_mutex_destroy(&subscriber->lock);
    free(subscriber);
}
