#include "tests/support/no_orders.h"

#include "tests/support/stand.h"

#include <criterion/criterion.h>

enum { WAIT_MS = 60000 };

static bool has_thought(void *arg)
{
    struct no_orders *orders = arg;
    return !atomic_load(&orders->thinks);
}

static struct status find(void *context, struct arena *arena, const int64_t *order_ids,
                          size_t count, int64_t **live, size_t *live_count)
{
    struct no_orders *orders = context;
    (void)arena;
    (void)order_ids;
    (void)count;
    atomic_fetch_add(&orders->asking, 1);
    bool answered = stand_wait(has_thought, orders, WAIT_MS);
    atomic_fetch_sub(&orders->asking, 1);
    *live = NULL;
    *live_count = 0;
    return answered ? OK : refuse(REASON_UNAVAILABLE, "nobody answers");
}

struct live_orders no_orders_of(struct no_orders *orders)
{
    return (struct live_orders){.find = find, .context = orders};
}

struct crowd {
    struct no_orders *orders;
    int wanted;
};

static bool is_there(void *arg)
{
    const struct crowd *crowd = arg;
    return atomic_load(&crowd->orders->asking) >= crowd->wanted;
}

void no_orders_await(struct no_orders *orders, int asking)
{
    struct crowd crowd = {orders, asking};
    cr_assert(stand_wait(is_there, &crowd, WAIT_MS), "nobody asks about orders");
}
