#pragma once
// Server-Sent Events: who follows what, how many may, and what keeps them going.
//
// An answer that streams is a connection which sleeps most of its life. It is woken by the doorbell
// that the order service rings over pub/sub, or else, since a doorbell may get lost, by a slow look of
// its own; both times the service is asked what is new after the last event's id. It also says
// "still here" now and then, and ends when nothing can follow, after a long time (the client comes
// back with its last id and a fresh token), with its client, or with the gateway.

#include "gateway/request.h"
#include "proto/order.pb-c.h"

struct streams;
struct stream;

// UNAVAILABLE when the bus cannot be heard.
struct status streams_create(const struct streams_settings *settings, const char *secret,
                             struct streams **streams);

// Ends every stream and lets no new one begin; from any thread.
void streams_end(struct streams *streams);

// Hears the doorbell no more; to be called while the RPC clients still are.
void streams_quiesce(struct streams *streams);

// All streams must have been closed. Accepts NULL.
void streams_destroy(struct streams *streams);

// What time brings: slow looks, heartbeats, ends; and clients that have left.
void streams_tick(struct streams *streams, int64_t now_us);

// Takes a place for a request of a streaming route, before its RPC. RATE_LIMITED: the user has too
// many; OVERLOADED: all have; UNAVAILABLE: the gateway leaves.
struct status stream_open(struct streams *streams, struct request *request);

// The first reply is there: the answer is the stream, with these events.
void stream_begin(struct request *request, const Baro__Order__OrderEvents *events);

// What MHD reads the answer from.
struct MHD_Response *stream_response(struct stream *stream);

// The request is over. Accepts NULL.
void stream_close(struct stream *stream);
