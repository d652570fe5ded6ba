// The end of pub/sub that listens.
//
// A subscriber asks nng for the topic together with its closing NUL, so nng's prefix match is an
// exact match. Its dialers follow the resolver; nng reconnects each of them by itself. What does not
// open with our key, or is not an envelope for the topic in front of it, is noise: counted, logged
// once a minute, dropped.

#include "lib/bus/bus.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/thread.h"
#include "lib/rpc/line.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/resolver.h"
#include "lib/rpc/seal.h"

#include <nng/protocol/pubsub0/sub.h>
#include <stdlib.h>
#include <string.h>

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

static struct dialer *find_dialer(struct subscriber *subscriber, const char *url)
{
    for (size_t i = 0; i < subscriber->dialer_count; i++)
        if (strcmp(subscriber->dialers[i].url, url) == 0)
            return &subscriber->dialers[i];
    return NULL;
}

static void add_dialer(struct subscriber *subscriber, const char *url)
{
    static struct log_throttle noise;
    struct line *line;
    int error = line_dial(subscriber->socket, url, &line);
    if (error != 0) {
        if (log_once_per(&noise, LOG_PERIOD_MS))
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
    static struct log_throttle noise;
    const Baro__BusMessage *message = open_message(subscriber, msg, arena);
    metric_add(message ? subscriber->messages : subscriber->noise, 1);
    if (message)
        subscriber->received(subscriber->arg, message);
    else if (log_once_per(&noise, LOG_PERIOD_MS))
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
        error = nng_socket_set_int(*socket, NNG_OPT_RECVBUF, BUS_QUEUE_LENGTH);
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
