#pragma once
// Tells a reader of another service's events when asking is worth while: when the source has rung over
// pub/sub, and now and then in case a ring was lost (DESIGN 6). The events themselves are fetched.

#include "lib/bus/bus.h"

struct doorbell;

struct doorbell_options {
    const char *addresses; // of the source's publishers
    const char *secret;
    const char *topic;
    const char *const *kinds; // of the events that ring
    size_t kind_count;
    int64_t echo_ms; // so long after a ring it stays worth while: a reader of an outbox may see an
                     // event only when older transactions have ended
    int64_t slow_ms; // it is always worth while when nobody has asked for so long
};

// What the options point to must outlive the doorbell.
struct status doorbell_open(const struct doorbell_options *options, struct doorbell **doorbell);

// Accepts NULL.
void doorbell_close(struct doorbell *doorbell);

// Is it worth while at now_us (monotonic)? A yes counts as having asked. One thread asks.
bool doorbell_is_due(struct doorbell *doorbell, int64_t now_us);
