#pragma once
// Brings the events of the outbox to one sink. Any number of replicas have a courier for it; the one
// that holds the lease of the sink's row works.

#include "lib/db/db.h"
#include "services/order/delivery.h"

// Where a courier goes.
struct sink_port {
    const char *name;
    size_t lot_max;     // events a round
    int64_t timeout_ms; // how long one of its tries takes at most
    // Sets the verdicts of the lot; returns when nothing of it is under way any more.
    void (*deliver)(void *sink, struct lot *lot);
    void *sink;
};

struct courier;

// `rules` and `owner`, which names one life of one replica, must outlive the courier. Used by one
// thread, but for courier_stop.
struct courier *courier_create(const struct sink_port *port, const struct delivery_rules *rules,
                               const char *owner);
void courier_destroy(struct courier *courier); // accepts NULL

// Delivers what is due, round by round, until there is nothing more to do now or another replica has
// the lease. No transaction is open while the sink is asked.
struct status courier_run(struct courier *courier, struct db *db);

// No new tries from now on; from any thread.
void courier_stop(struct courier *courier);

// Ends the lease, so that others may take over at once.
struct status courier_release(struct courier *courier, struct db *db);
