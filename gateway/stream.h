#pragma once
// One stream, and the table that it stands in: shared by stream.c and streams.c.
//
// Everything is under the table's lock. A stream has at most one call out; what a call brings is
// written to the client whole before the next one, so a slow client costs one reply's memory.

#include "gateway/streams.h"
#include "lib/bus/bus.h"

#include <pthread.h>
#include <uthash.h>

enum { EVENT_ID_MAX = 64 };

struct stream {
    struct streams *streams;
    struct MHD_Connection *connection; // this and the next until it is closed
    struct connection *deadline;
    struct connections *connections;
    int fd;
    struct rpc_client *client;
    const char *method;
    int64_t key; // what it follows: the order's id
    struct caller caller;
    char traceparent[sizeof(((struct trace *)0)->parent)];
    char after[EVENT_ID_MAX]; // the id of the last event that was fetched
    char *text;               // for the client
    size_t length, written;
    bool begun;     // the answer has set out
    bool suspended; // nothing to send: the connection sleeps
    bool asking;    // a call is out; it keeps a closed stream's memory
    bool rung;      // something happened since the call set out
    bool ended;     // after `text` there is nothing
    bool closed;
    int64_t look_us, heartbeat_us, end_us; // monotonic: when each is due
    struct stream *prev, *next;            // of all
    struct stream *prev_same, *next_same;  // that follow the same
    struct stream *next_asker;
};

struct followed {
    int64_t key;
    struct stream *streams;
    UT_hash_handle hh;
};

struct follower {
    int64_t user_id;
    int64_t count;
    UT_hash_handle hh;
};

struct streams {
    struct streams_settings settings;
    pthread_mutex_t lock;
    struct stream *all;
    int64_t count;
    struct followed *followed;  // by key
    struct follower *followers; // by user
    bool ending;
    int64_t leavers_us; // when to look for clients that have left
    struct subscriber *doorbell;
    struct metric *open, *events, *refused;
};

// Both are called with the lock held.

// True when the stream may ask now; it then has `asking` and stream_ask must follow, without the lock.
bool stream_wants_to_ask(struct stream *stream);

// Appends to what the client gets and wakes the connection.
void stream_put(struct stream *stream, const char *text, size_t length);

// Nothing follows any more.
void stream_finish(struct stream *stream);

// Asks the service; without the lock.
void stream_ask(struct stream *stream);
