// The end of pub/sub that speaks. A message that is too large is halved until its parts fit.

#include "lib/bus/bus.h"

#include "lib/base/faults.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/rpc/line.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/seal.h"

#include <assert.h>
#include <nng/protocol/pubsub0/pub.h>
#include <stdlib.h>
#include <string.h>

struct publisher {
    nng_socket socket;
    struct line *line;
    struct seal_key key;
    struct metric *published, *dropped;
};

static int listen_on(struct publisher *publisher, const char *url)
{
    int error = socket_set_common_options(publisher->socket);
    if (error == 0)
        error = nng_socket_set_int(publisher->socket, NNG_OPT_SENDBUF, BUS_QUEUE_LENGTH);
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
    static struct log_throttle noise;
    metric_add(error == 0 ? publisher->published : publisher->dropped, 1);
    if (error != 0 && log_once_per(&noise, LOG_PERIOD_MS))
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
