// The small parts: whose an order is, ids at hand.

#include "lib/base/macros.h"
#include "lib/base/timeid.h"
#include "services/order/id_pool.h"
#include "services/order/owner.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct caller USER = {5, CALLER_USER}, ADMIN = {1, CALLER_ADMIN},
                           SERVICE = {0, CALLER_SERVICE};

Test(owner, what_is_someone_elses_is_forbidden_to_users_only)
{
    cr_assert(!failed(owner_check(USER, 5)));
    cr_assert_eq(owner_check(USER, 6).reason, REASON_FORBIDDEN);
    cr_assert(!failed(owner_check(ADMIN, 6)));
    cr_assert(!failed(owner_check(SERVICE, 6)));
}

struct desk {
    struct id_pool *pool;
    int refills, count;
    int64_t ids[8];
};

static void ask_for_refill(void *arg)
{
    ((struct desk *)arg)->refills++;
}

static void taken(void *arg, int64_t id)
{
    struct desk *desk = arg;
    desk->ids[desk->count++] = id;
}

enum { NOW_US = 1800000000 };
static const int64_t NOW = INT64_C(1000000) * NOW_US;

Test(id_pool, who_finds_it_empty_waits_for_the_one_refill)
{
    struct desk desk = {.count = 0};
    desk.pool = id_pool_create(ask_for_refill, &desk);
    id_pool_take(desk.pool, taken, &desk);
    id_pool_take(desk.pool, taken, &desk);
    cr_assert_eq(desk.refills, 1);
    cr_assert_eq(desk.count, 0);
    const int64_t numbers[] = {11, 12, 13};
    id_pool_put(desk.pool, numbers, COUNT(numbers), NOW);
    cr_assert_eq(desk.count, 2);
    id_pool_take(desk.pool, taken, &desk);
    cr_assert_eq(desk.count, 3);
    cr_assert_eq(desk.refills, 2, "it runs low");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(desk.ids[i] & 0xfffff, 11 + i);
        cr_assert_geq(time_id_us(desk.ids[i]), NOW - 1000000);
        cr_assert_leq(time_id_us(desk.ids[i]), NOW + 60000000);
    }
    id_pool_destroy(desk.pool);
}

Test(id_pool, a_refill_that_fails_or_is_too_small_leaves_nobody_waiting)
{
    struct desk desk = {.count = 0};
    desk.pool = id_pool_create(ask_for_refill, &desk);
    for (int i = 0; i < 3; i++)
        id_pool_take(desk.pool, taken, &desk);
    id_pool_put(desk.pool, (int64_t[]){9}, 1, NOW);
    cr_assert_eq(desk.count, 1);
    cr_assert_eq(desk.refills, 2);
    id_pool_refill_failed(desk.pool);
    cr_assert_eq(desk.count, 3);
    cr_assert_eq(desk.ids[1], 0);
    cr_assert_eq(desk.ids[2], 0);
    id_pool_take(desk.pool, taken, &desk);
    cr_assert_eq(desk.refills, 3);
    id_pool_destroy(desk.pool);
    cr_assert_eq(desk.count, 4);
}
