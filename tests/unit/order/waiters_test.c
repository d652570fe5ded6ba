// Calls that wait for the end of a saga: each is answered once, by whoever takes it out.

#include "services/order/waiters.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <time.h>

// Calls are only handed through: any address will do.
static char calls[100000];

struct seen {
    atomic_int count;
    int64_t last_id;
    bool in_order;
};

static void answer(void *arg, struct call *call, int64_t order_id)
{
    struct seen *seen = arg;
    seen->in_order &= (const char *)call == &calls[order_id] && order_id >= seen->last_id;
    seen->last_id = order_id;
    atomic_fetch_add(&seen->count, 1);
}

static struct waiters *given_waiters(struct seen *seen)
{
    *seen = (struct seen){.in_order = true};
    return waiters_create(answer, seen);
}

static void add(struct waiters *waiters, int64_t id, int64_t wait_ms)
{
    waiters_add(waiters, id, id, (struct call *)&calls[id], wait_ms);
}

static void await_count(struct seen *seen, int count)
{
    int64_t until_us = clock_monotonic_us() + 20 * US_PER_S;
    while (atomic_load(&seen->count) < count) {
        cr_assert(clock_monotonic_us() < until_us, "%d answers", atomic_load(&seen->count));
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

Test(waiters, a_call_leaves_with_its_saga_or_when_its_patience_ends)
{
    struct seen seen;
    struct waiters *waiters = given_waiters(&seen);
    add(waiters, 1, 60000);
    add(waiters, 2, 20);
    add(waiters, 3, 10);
    add(waiters, 4, 0);
    await_count(&seen, 3);
    cr_expect_eq(waiters_take(waiters, 1), (struct call *)&calls[1]);
    for (int64_t id = 1; id <= 4; id++)
        cr_expect_null(waiters_take(waiters, id));
    waiters_destroy(waiters);
    cr_expect_eq(atomic_load(&seen.count), 3);
}

static double cpu_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

// Each end of a patience wakes the thread: it must not look at all the others.
Test(waiters, fifty_thousand_that_wait_cost_nothing_while_others_leave)
{
    enum { PATIENT = 50000, HASTY = 1500 };
    struct seen seen;
    struct waiters *waiters = given_waiters(&seen);
    for (int64_t id = 0; id < PATIENT; id++)
        add(waiters, HASTY + id, 600000);
    double before = cpu_seconds();
    for (int64_t id = 0; id < HASTY; id++)
        add(waiters, id, 1 + id);
    await_count(&seen, HASTY);
    cr_expect(seen.in_order);
    cr_expect_lt(cpu_seconds() - before, 0.5);
    for (int64_t id = 0; id < PATIENT; id++)
        waiters_take(waiters, HASTY + id);
    waiters_destroy(waiters);
}
