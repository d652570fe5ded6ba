#pragma once
// Reads the events of another service's outbox, each exactly once in effect (DESIGN 6).
//
// Table event_cursor(consumer, last_id): how far a consumer has come, in its own database, changed
// in the transaction of the effect. Any number of replicas may consume at once.

#include "lib/db/db.h"
#include "lib/rpc/client.h"

// Where events come from: those after an id, in id order, some at a time; none when there are no
// more. A function, so that a consumer can be tested without its source.
struct event_source {
    struct status (*fetch)(void *context, struct arena *arena, int64_t after_id,
                           Baro__Event ***events, size_t *count);
    void *context;
};

// A FetchEvents method ("baro.order.Order/FetchEvents"); the client must outlive the feed.
struct event_feed {
    struct rpc_client *client;
    const char *method;
};
struct event_source event_source_of(struct event_feed *feed);

struct consumer {
    const char *name; // of the cursor: "popularity"
    struct event_source source;

    // Brings about what the events imply, in the transaction of db. An event that cannot be
    // understood is its own to skip: a failure is tried again and holds up all that follow.
    struct status (*apply)(void *context, struct db *db, struct arena *arena,
                           Baro__Event *const *events, size_t count);
    void *context;
};

// Applies what there is, lot by lot, until the source has no more or `lots_max` lots are done. The
// words of a failure live in the arena.
struct status consumer_run(const struct consumer *consumer, struct db *db, struct arena *arena,
                           int lots_max);
