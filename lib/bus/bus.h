#pragma once
// Pub/sub between processes: the fast path of sagas and the doorbell of events.
//
// A process has one publisher (PUB, listens) and dials the publishers of the services that it hears
// (SUB, one dial per address of the resolver). nng drops when a queue is full and says nothing, so
// nothing may rely on a message: the database is the truth, and whoever misses one asks (DESIGN 5).
// A message is `topic` NUL envelope MAC.

#include "lib/rpc/resolver.h"
#include "lib/rpc/seal.h"
#include "proto/common.pb-c.h"

struct publisher;
struct subscriber;

enum { TOPIC_LENGTH_MAX = 255 };

struct status publisher_start(const char *listen, const char *secret, struct publisher **publisher);
int publisher_port(const struct publisher *publisher);
void publisher_destroy(struct publisher *publisher);

// Publishes; never blocks. message->topic is set from `topic`. Messages that would exceed the size
// limit are split between commands, replies or events.
void publish(struct publisher *publisher, const char *topic, const Baro__BusMessage *message);

// Called on a thread of the library, one message at a time per subscriber; must not block for long.
typedef void bus_received(void *arg, const Baro__BusMessage *message);

struct status subscriber_start(const char *addresses, const char *secret, bus_received *received,
                               void *arg, struct subscriber **subscriber);
void subscriber_destroy(struct subscriber *subscriber);

// Replaces the set of topics; a topic matches exactly. From any thread.
void subscriber_set_topics(struct subscriber *subscriber, const char *const *topics, size_t count);
