// The table of all streams: places, the doorbell, time.
//
// Invariant: a stream is in the table from stream_open to stream_close, both on its HTTP thread; its
// memory goes with whichever comes last, the close or the call that is out.

#include "gateway/stream.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

enum { LEAVERS_PERIOD_MS = 1000 };

// Calls that are to set out when the lock is free.
struct askers {
    struct stream *first;
};

static void add_asker(struct askers *askers, struct stream *stream)
{
    if (!stream_wants_to_ask(stream))
        return;
    stream->next_asker = askers->first;
    askers->first = stream;
}

static void ask_all(struct askers *askers)
{
    while (askers->first) {
        struct stream *stream = askers->first;
        askers->first = stream->next_asker; // its memory may go with the call
        stream_ask(stream);
    }
}

// Somebody who follows this order asks what is new; on the bus's thread.
static void ring(void *arg, const Baro__BusMessage *message)
{
    struct streams *streams = arg;
    struct askers askers = {NULL};
    pthread_mutex_lock(&streams->lock);
    for (size_t i = 0; i < message->n_events; i++) {
        struct followed *followed;
        struct stream *stream;
        HASH_FIND(hh, streams->followed, &message->events[i]->key, sizeof(int64_t), followed);
        if (!followed)
            continue;
        DL_FOREACH2 (followed->streams, stream, next_same) {
            stream->rung = true;
            add_asker(&askers, stream);
        }
    }
    pthread_mutex_unlock(&streams->lock);
    ask_all(&askers);
}

static struct status hear(struct streams *streams, const char *addresses, const char *secret)
{
    static const char *const topics[] = {"order.events"};
    if (!addresses || !*addresses)
        return OK;
    struct status st = subscriber_start(addresses, secret, ring, streams, &streams->doorbell);
    if (!failed(st))
        subscriber_set_topics(streams->doorbell, topics, 1);
    return st;
}

struct status streams_create(const struct streams_settings *settings, const char *secret,
                             struct streams **streams)
{
    struct streams *made = memory_alloc(sizeof(*made));
    made->settings = *settings;
    pthread_mutex_init(&made->lock, NULL);
    made->open = metrics_gauge("baro_streams", "Streams of events that are open", NULL);
    made->events = metrics_counter("baro_stream_events_total", "Events sent to followers", NULL);
    made->refused =
        metrics_counter("baro_streams_refused_total", "Streams that found no room", NULL);
    struct status st = hear(made, settings->bus, secret);
    if (failed(st))
        streams_destroy(made);
    else
        *streams = made;
    return st;
}

void streams_end(struct streams *streams)
{
    struct stream *stream;
    pthread_mutex_lock(&streams->lock);
    streams->ending = true;
    DL_FOREACH (streams->all, stream)
        stream_finish(stream);
    pthread_mutex_unlock(&streams->lock);
}

void streams_quiesce(struct streams *streams)
{
    if (!streams || !streams->doorbell)
        return;
    subscriber_destroy(streams->doorbell);
    streams->doorbell = NULL;
}

void streams_destroy(struct streams *streams)
{
    if (!streams)
        return;
    assert(!streams->all);
    streams_quiesce(streams);
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}

// Places

static struct follower *follower_of(struct streams *streams, int64_t user_id)
{
    struct follower *follower;
    HASH_FIND(hh, streams->followers, &user_id, sizeof(user_id), follower);
    if (follower)
        return follower;
    follower = memory_alloc(sizeof(*follower));
    follower->user_id = user_id;
    HASH_ADD(hh, streams->followers, user_id, sizeof(user_id), follower);
    return follower;
}

static void count_user(struct streams *streams, int64_t user_id, int64_t change)
{
    struct follower *follower = follower_of(streams, user_id);
    follower->count += change;
    if (follower->count > 0)
        return;
    HASH_DEL(streams->followers, follower);
    free(follower);
}

static int64_t streams_of_user(const struct streams *streams, int64_t user_id)
{
    struct follower *follower;
    HASH_FIND(hh, streams->followers, &user_id, sizeof(user_id), follower);
    return follower ? follower->count : 0;
}

static struct status check_room(const struct streams *streams, int64_t user_id)
{
    if (streams->ending)
        return refuse(REASON_UNAVAILABLE, "this gateway is shutting down");
    if (streams_of_user(streams, user_id) >= streams->settings.max_per_user)
        return refuse(REASON_RATE_LIMITED, "too many streams of one user: close another first");
    if (streams->count >= streams->settings.max)
        return refuse(REASON_OVERLOADED, "no room for another stream");
    return OK;
}

static void follow(struct streams *streams, struct stream *stream)
{
    struct followed *followed;
    HASH_FIND(hh, streams->followed, &stream->key, sizeof(stream->key), followed);
    if (!followed) {
        followed = memory_alloc(sizeof(*followed));
        followed->key = stream->key;
        HASH_ADD(hh, streams->followed, key, sizeof(followed->key), followed);
    }
    DL_APPEND2(followed->streams, stream, prev_same, next_same);
}

static void unfollow(struct streams *streams, struct stream *stream)
{
    struct followed *followed;
    HASH_FIND(hh, streams->followed, &stream->key, sizeof(stream->key), followed);
    assert(followed); // stream_open put it there
    DL_DELETE2(followed->streams, stream, prev_same, next_same);
    if (followed->streams)
        return;
    HASH_DEL(streams->followed, followed);
    free(followed);
}

static void enter(struct streams *streams, struct stream *stream)
{
    DL_APPEND(streams->all, stream);
    follow(streams, stream);
    count_user(streams, stream->caller.user_id, 1);
    metric_set(streams->open, ++streams->count);
}

static struct stream *make_stream(struct streams *streams, const struct request *request)
{
    const Baro__Order__ListOrderEventsRequest *wanted =
        (const Baro__Order__ListOrderEventsRequest *)request->message;
    const struct endpoint *endpoint = request->match.endpoint;
    struct stream *stream = memory_alloc(sizeof(*stream));
    *stream = (struct stream){
        .streams = streams,
        .connection = request->connection,
        .deadline = request_connection(request),
        .connections = request->gateway->connections,
        .fd = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                  ->connect_fd,
        .client = request->gateway->services[endpoint->route->service],
        .method = endpoint->rpc_method,
        .key = wanted->order_id,
        .caller = request->caller,
        .look_us = request->started_us + streams->settings.look_ms * US_PER_MS,
        .end_us = request->started_us + streams->settings.lifetime_ms * US_PER_MS,
    };
    snprintf(stream->traceparent, sizeof(stream->traceparent), "%s", request->trace.parent);
    snprintf(stream->after, sizeof(stream->after), "%s", wanted->after);
    return stream;
}

struct status stream_open(struct streams *streams, struct request *request)
{
    pthread_mutex_lock(&streams->lock);
    struct status st = check_room(streams, request->caller.user_id);
    if (!failed(st)) {
        request->stream = make_stream(streams, request);
        enter(streams, request->stream);
    } else {
        metric_add(streams->refused, 1);
    }
    pthread_mutex_unlock(&streams->lock);
    return st;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    struct streams *streams = stream->streams;
    pthread_mutex_lock(&streams->lock);
    DL_DELETE(streams->all, stream);
    unfollow(streams, stream);
    count_user(streams, stream->caller.user_id, -1);
    metric_set(streams->open, --streams->count);
    free(stream->text);
    stream->closed = true;
    bool unused = !stream->asking;
    pthread_mutex_unlock(&streams->lock);
    if (unused)
        free(stream);
}

// Time

// A sleeping connection is not looked at by libmicrohttpd: whether its client is still there, its
// socket tells.
static void find_leavers(struct streams *streams)
{
    struct pollfd *sockets = memory_array((size_t)streams->count + 1, sizeof(*sockets));
    struct stream *stream;
    nfds_t count = 0;
    DL_FOREACH (streams->all, stream)
        sockets[count++] = (struct pollfd){stream->suspended ? stream->fd : -1, POLLRDHUP, 0};
    int found = poll(sockets, count, 0);
    count = 0;
    DL_FOREACH (streams->all, stream)
        if (found > 0 && sockets[count++].revents)
            stream_finish(stream);
    free(sockets);
}

static void pass_time(struct stream *stream, int64_t now_us, struct askers *askers)
{
    static const char beat[] = ": still here\n\n";
    if (stream->end_us <= now_us)
        stream_finish(stream);
    if (!stream->suspended)
        return;
    if (stream->look_us <= now_us)
        add_asker(askers, stream);
    if (stream->heartbeat_us <= now_us)
        stream_put(stream, beat, sizeof(beat) - 1);
}

void streams_tick(struct streams *streams, int64_t now_us)
{
    struct askers askers = {NULL};
    struct stream *stream;
    pthread_mutex_lock(&streams->lock);
    if (streams->leavers_us <= now_us) {
        streams->leavers_us = now_us + LEAVERS_PERIOD_MS * US_PER_MS;
        find_leavers(streams);
    }
    DL_FOREACH (streams->all, stream)
        pass_time(stream, now_us, &askers);
    pthread_mutex_unlock(&streams->lock);
    ask_all(&askers);
}
