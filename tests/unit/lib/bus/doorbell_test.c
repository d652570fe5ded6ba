// When asking is worth while.

#include "lib/bus/doorbell.h"

#include "lib/base/clock.h"
#include "lib/rpc/nng.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { ECHO_MS = 1000, SLOW_MS = 100000 };

static struct publisher *publisher;
static struct doorbell *doorbell;

static void given_doorbell(void)
{
    static const char *const kinds[] = {"order.paid"};
    static char address[64];
    cr_assert(!failed(nng_prepare()));
    cr_assert(!failed(publisher_start("tcp://127.0.0.1:0", STAND_SECRET, &publisher)));
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", publisher_port(publisher));
    const struct doorbell_options options = {
        .addresses = address,
        .secret = STAND_SECRET,
        .topic = "order.events",
        .kinds = kinds,
        .kind_count = 1,
        .echo_ms = ECHO_MS,
        .slow_ms = SLOW_MS,
    };
    cr_assert(!failed(doorbell_open(&options, &doorbell)));
}

static void end_doorbell(void)
{
    doorbell_close(doorbell);
    publisher_destroy(publisher);
}

TestSuite(doorbell, .init = given_doorbell, .fini = end_doorbell, .timeout = 60);

static void ring(char *kind)
{
    Baro__Event event;
    baro__event__init(&event);
    event.kind = kind;
    Baro__BusMessage message;
    baro__bus_message__init(&message);
    message.events = (Baro__Event *[]){&event};
    message.n_events = 1;
    publish(publisher, "order.events", &message);
}

static bool is_due_after_a_ring(void *kind)
{
    ring(kind);
    return doorbell_is_due(doorbell, clock_monotonic_us());
}

Test(doorbell, without_a_ring_it_is_worth_while_at_first_and_then_slowly)
{
    int64_t now_us = clock_monotonic_us();
    cr_assert(doorbell_is_due(doorbell, now_us));
    cr_assert(!doorbell_is_due(doorbell, now_us + (SLOW_MS - 1) * US_PER_MS));
    cr_assert(doorbell_is_due(doorbell, now_us + SLOW_MS * US_PER_MS));
    cr_assert(!doorbell_is_due(doorbell, now_us + SLOW_MS * US_PER_MS));
}

Test(doorbell, after_a_ring_it_is_worth_while_for_a_time)
{
    char paid[] = "order.paid";
    cr_assert(doorbell_is_due(doorbell, clock_monotonic_us()));
    cr_assert(stand_wait(is_due_after_a_ring, paid, 5000));
    cr_assert(doorbell_is_due(doorbell, clock_monotonic_us()));
    cr_assert(!doorbell_is_due(doorbell, clock_monotonic_us() + ECHO_MS * US_PER_MS));
}

Test(doorbell, other_kinds_of_events_do_not_ring)
{
    char paid[] = "order.paid", pending[] = "order.pending";
    cr_assert(doorbell_is_due(doorbell, clock_monotonic_us()));
    cr_assert(!stand_wait(is_due_after_a_ring, pending, 300));
    cr_assert(stand_wait(is_due_after_a_ring, paid, 5000));
}
