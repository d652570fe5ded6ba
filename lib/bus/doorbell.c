// One number is shared with the bus's thread: when it last rang.

#include "lib/bus/doorbell.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct doorbell {
    struct doorbell_options options;
    struct subscriber *subscriber;
    _Atomic int64_t rung_us;
    int64_t asked_us;
};

static bool rings(const struct doorbell *doorbell, const char *kind)
{
    for (size_t i = 0; i < doorbell->options.kind_count; i++)
        if (strcmp(doorbell->options.kinds[i], kind) == 0)
            return true;
    return false;
}

static void hear(void *arg, const Baro__BusMessage *message)
{
    struct doorbell *doorbell = arg;
    for (size_t i = 0; i < message->n_events; i++)
        if (rings(doorbell, message->events[i]->kind)) {
            atomic_store(&doorbell->rung_us, clock_monotonic_us());
            return;
        }
}

struct status doorbell_open(const struct doorbell_options *options, struct doorbell **doorbell)
{
    struct doorbell *made = memory_alloc(sizeof(*made));
    made->options = *options;
    made->rung_us = INT64_MIN / 2;
    made->asked_us = INT64_MIN / 2;
    struct status st =
        subscriber_start(options->addresses, options->secret, hear, made, &made->subscriber);
    if (failed(st)) {
        free(made);
        return st;
    }
    subscriber_set_topics(made->subscriber, &options->topic, 1);
    *doorbell = made;
    return OK;
}

void doorbell_close(struct doorbell *doorbell)
{
    if (!doorbell)
        return;
    subscriber_destroy(doorbell->subscriber);
    free(doorbell);
}

bool doorbell_is_due(struct doorbell *doorbell, int64_t now_us)
{
    const struct doorbell_options *options = &doorbell->options;
    bool rung = now_us - atomic_load(&doorbell->rung_us) < options->echo_ms * US_PER_MS;
    bool due = rung || now_us - doorbell->asked_us >= options->slow_ms * US_PER_MS;
    if (due)
        doorbell->asked_us = now_us;
    return due;
}
