// What one stream asks for, and how its text reaches the client.
//
// libmicrohttpd asks read_on for more whenever the client has taken what was there. When there is
// nothing the connection is suspended, and whoever has something resumes it: under the lock, so once.

#include "gateway/stream.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_TIMEOUT_MS = 5000, BLOCK_SIZE = 4096 };

static void wake(struct stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    connection_restart(stream->connections, stream->deadline);
    MHD_resume_connection(stream->connection);
}

void stream_put(struct stream *stream, const char *text, size_t length)
{
    stream->text = memory_resize(stream->text, stream->length + length, 1);
    memcpy(stream->text + stream->length, text, length);
    stream->length += length;
    stream->heartbeat_us =
        clock_monotonic_us() + stream->streams->settings.heartbeat_ms * US_PER_MS;
    wake(stream);
}

void stream_finish(struct stream *stream)
{
    stream->ended = true;
    wake(stream);
}

bool stream_wants_to_ask(struct stream *stream)
{
    bool wants = stream->begun && !stream->ended && !stream->closed && !stream->asking &&
                 stream->written == stream->length;
    if (wants) {
        stream->asking = true;
        stream->rung = false;
        stream->look_us = clock_monotonic_us() + stream->streams->settings.look_ms * US_PER_MS;
    }
    return wants;
}

static void write_event(const Baro__Order__OrderEvent *event, struct text_buffer *out)
{
    text_appendf(out, "id: %s\nevent: %s\ndata: ", event->id, event->type);
    transcode_write(&event->base, out);
    text_append(out, "\n\n");
}

static void take_events(struct stream *stream, const Baro__Order__OrderEvents *events)
{
    SCOPED(arena) *arena = arena_create();
    struct text_buffer out;
    text_buffer_init(&out, arena, 1024);
    for (size_t i = 0; i < events->n_events; i++)
        write_event(events->events[i], &out);
    if (events->n_events > 0) {
        const char *last = events->events[events->n_events - 1]->id;
        snprintf(stream->after, sizeof(stream->after), "%s", last);
        stream_put(stream, out.data, out.length);
        metric_add(stream->streams->events, (int64_t)events->n_events);
    }
    stream->rung = stream->rung || events->more;
    if (events->ended)
        stream_finish(stream);
}

// What is not a definite no will pass: the next look asks again.
static void take_failure(struct stream *stream, struct status st)
{
    static struct log_throttle throttle;
    if (status_is_definite(st) || st.code == STATUS_INVALID_ARGUMENT)
        stream_finish(stream);
    else if (log_once_per(&throttle, LOG_PERIOD_MS))
        log_warn("stream cannot ask", log_status(st));
}

static void asked(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct stream *stream = arg;
    struct streams *streams = stream->streams;
    SCOPED(arena) *arena = arena_create();
    const ProtobufCMessage *events = NULL;
    if (!failed(st))
        events = protobuf_unpack(&baro__order__order_events__descriptor, reply->payload.len,
                                 reply->payload.data, arena);
    if (!failed(st) && !events)
        st = refuse(REASON_INTERNAL, "the service's reply is malformed");

    pthread_mutex_lock(&streams->lock);
    stream->asking = false;
    bool closed = stream->closed, again = false;
    if (!closed) {
        if (events)
            take_events(stream, (const Baro__Order__OrderEvents *)events);
        else
            take_failure(stream, st);
        again = events && stream->rung && stream_wants_to_ask(stream);
    }
    pthread_mutex_unlock(&streams->lock);
    if (again)
        stream_ask(stream);
    if (closed)
        free(stream);
}

void stream_ask(struct stream *stream)
{
    Baro__Order__ListOrderEventsRequest request;
    baro__order__list_order_events_request__init(&request);
    request.order_id = stream->key;
    request.after = stream->after;
    rpc_call(stream->client,
             &(struct rpc_request){
                 .method = stream->method,
                 .message = &request.base,
                 .caller = stream->caller,
                 .timeout_ms = ASK_TIMEOUT_MS,
                 .traceparent = stream->traceparent,
                 .idempotent = true,
             },
             asked, stream);
}

static size_t take_text(struct stream *stream, char *out, size_t room)
{
    size_t size = stream->length - stream->written;
    if (size > room)
        size = room;
    memcpy(out, stream->text + stream->written, size);
    stream->written += size;
    if (stream->written == stream->length) {
        free(stream->text);
        stream->text = NULL;
        stream->length = stream->written = 0;
    }
    return size;
}

static void sleep_on(struct stream *stream)
{
    stream->suspended = true;
    connection_pause(stream->deadline);
    MHD_suspend_connection(stream->connection);
}

static ssize_t read_on(void *arg, uint64_t position, char *out, size_t room)
{
    struct stream *stream = arg;
    ssize_t size = 0;
    bool ask = false;
    (void)position;
    pthread_mutex_lock(&stream->streams->lock);
    if (stream->length > 0) {
        size = (ssize_t)take_text(stream, out, room);
    } else if (stream->ended) {
        size = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        sleep_on(stream);
        ask = stream->rung && stream_wants_to_ask(stream);
    }
    pthread_mutex_unlock(&stream->streams->lock);
    if (ask)
        stream_ask(stream);
    return size;
}

void stream_begin(struct request *request, const Baro__Order__OrderEvents *events)
{
    static const char hello[] = "retry: 1000\n\n";
    struct stream *stream = request->stream;
    answer_with(request, MHD_HTTP_OK, "text/event-stream");
    request->answer.streams = true;
    pthread_mutex_lock(&stream->streams->lock);
    stream->begun = true;
    stream_put(stream, hello, sizeof(hello) - 1);
    take_events(stream, events);
    pthread_mutex_unlock(&stream->streams->lock);
}

struct MHD_Response *stream_response(struct stream *stream)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_on, stream, NULL);
}
