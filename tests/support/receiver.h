#pragma once
// A small HTTP server on the loopback that receives webhooks and misbehaves as it is told.

#include <stdbool.h>
#include <stddef.h>

struct receiver;

// One request, as it came.
struct parcel {
    char id[64], timestamp[32], signature[512];
    char *body; // NUL-terminated
    int status; // what it was answered; 0: nothing
};

// What the receiver does with a request.
struct conduct {
    int status;          // 0: closes the connection without a word
    const char *headers; // more lines, each with its "\r\n"; or NULL
    int delay_ms;        // before it answers
    size_t body_size;    // of the answer
};

// Listens on a free port. `decide` is asked for each request, one at a time; NULL: every request
// gets what was last said by receiver_behave, 204 at first.
struct receiver *receiver_open(struct conduct (*decide)(void *context, const struct parcel *parcel),
                               void *context);
void receiver_close(struct receiver *receiver);
void receiver_behave(struct receiver *receiver, struct conduct conduct);

// "http://127.0.0.1:port/hook"
const char *receiver_url(const struct receiver *receiver);

// Nobody listens any more, or again on the same port.
void receiver_pause(struct receiver *receiver);
void receiver_resume(struct receiver *receiver);

// The most requests that were being answered at a time.
size_t receiver_most_at_once(struct receiver *receiver);

// Of the first 65,536 requests.
size_t receiver_count(struct receiver *receiver);
// In the order in which they were answered; stays where it is until the receiver is closed.
const struct parcel *receiver_parcel(struct receiver *receiver, size_t index);
