#pragma once
// Pub/sub between processes: the fast path of sagas and the doorbell of events.
//
// A process has one publisher (PUB, listens) and dials the publishers of the services that it hears
// (SUB, one dial per address of the resolver). nng drops when a queue is full and says nothing, so
// nothing may rely on a message: the database is the truth, and whoever misses one asks (DESIGN 5).
// A message is `topic` NUL envelope MAC.

#include "lib/base/status.h"
#include "proto/common.pb-c.h"

#include <stddef.h>

struct publisher;
struct subscriber;

enum {
    TOPIC_LENGTH_MAX = 255,
    BUS_QUEUE_LENGTH = 8192, // messages at each end: nng's 16 lose nearly all of a burst (DESIGN 5)
};

// Listens on a socket's address (address.h). FAILED_PRECONDITION for a secret that is too short; nng's
// errors as statuses.
struct status publisher_start(const char *listen, const char *secret, struct publisher **publisher);

// The port that it listens on (tcp); 0 for ipc.
int publisher_port(const struct publisher *publisher);

// What is still queued is lost. Accepts NULL.
void publisher_destroy(struct publisher *publisher);

// Publishes; never blocks. From any thread. message->topic is set from `topic`. Messages that would
// exceed the size limit are split between commands, replies or events.
void publish(struct publisher *publisher, const char *topic, const Baro__BusMessage *message);

// Called on a thread of the library, one message at a time per subscriber; must not block for long.
typedef void bus_received(void *arg, const Baro__BusMessage *message);

// Dials the publishers at `addresses` (comma-separated), and again whenever their names mean
// others; hears nothing before subscriber_set_topics. Fails as publisher_start does.
struct status subscriber_start(const char *addresses, const char *secret, bus_received *received,
                               void *arg, struct subscriber **subscriber);

// Waits for the message that is being received. Accepts NULL.
void subscriber_destroy(struct subscriber *subscriber);

// Replaces the set of topics; a topic matches exactly. From any thread.
void subscriber_set_topics(struct subscriber *subscriber, const char *const *topics, size_t count);
