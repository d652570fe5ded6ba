// The small parts: who may call what, pages, ids at hand, calls that wait.

#include "lib/base/macros.h"
#include "lib/base/timeid.h"
#include "proto/order.pb-c.h"
#include "services/order/access.h"
#include "services/order/id_pool.h"
#include "services/order/page.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct caller NOBODY = {0, CALLER_NOBODY}, USER = {5, CALLER_USER},
                           ADMIN = {1, CALLER_ADMIN}, SERVICE = {0, CALLER_SERVICE},
                           ZERO = {0, CALLER_USER};

Test(access, every_method_has_a_row_and_none_is_for_strangers)
{
    const ProtobufCServiceDescriptor *service = &baro__order__order__descriptor;
    for (unsigned i = 0; i < service->n_methods; i++) {
        const char *name = service->methods[i].name;
        bool open = false;
        cr_assert_eq(access_check(name, NOBODY).reason, REASON_UNAUTHENTICATED, "%s", name);
        cr_assert_eq(access_check(name, ZERO).reason, REASON_UNAUTHENTICATED, "%s", name);
        open |= !failed(access_check(name, USER)) || !failed(access_check(name, ADMIN));
        open |= !failed(access_check(name, SERVICE));
        cr_assert(open, "nobody may call %s", name);
    }
    cr_assert(failed(access_check("Unheard", ADMIN)));
}

Test(access, admin_and_internal_methods_are_closed_to_users)
{
    static const char *const CLOSED[] = {"SetOrderStatus", "ListSagas",   "GetSaga", "RetrySaga",
                                         "FindLiveOrders", "FetchEvents", "EndSaga", "RecordSaga",
                                         "FindCartItems",  "ReserveIds"};
    for (size_t i = 0; i < COUNT(CLOSED); i++)
        cr_assert_eq(access_check(CLOSED[i], USER).reason, REASON_FORBIDDEN, "%s", CLOSED[i]);
    cr_assert_eq(access_check("EndSaga", ADMIN).reason, REASON_FORBIDDEN);
    cr_assert_eq(access_check("PlaceOrder", SERVICE).reason, REASON_FORBIDDEN);
}

Test(access, what_is_someone_elses_is_forbidden_to_users_only)
{
    cr_assert(!failed(access_check_owner(USER, 5)));
    cr_assert_eq(access_check_owner(USER, 6).reason, REASON_FORBIDDEN);
    cr_assert(!failed(access_check_owner(ADMIN, 6)));
    cr_assert(!failed(access_check_owner(SERVICE, 6)));
}

Test(page, tokens_come_back_as_they_went)
{
    SCOPED(arena) *arena = arena_create();
    struct page page;
    cr_assert(!failed(page_parse(arena, 0, "", &page)));
    cr_assert_eq(page.size, 20);
    cr_assert_eq(page.before[0], INT64_MAX);
    const char *token = page_token(arena, (int64_t[]){42, INT64_MAX});
    cr_assert(!failed(page_parse(arena, 100, token, &page)));
    cr_assert_eq(page.size, 100);
    cr_assert_eq(page.before[0], 42);
    cr_assert_eq(page.before[1], INT64_MAX);
}

Test(page, other_tokens_and_sizes_name_their_field)
{
    static const char *const BAD[] = {"*", "MQ", "MS4y*", "LTEuMg", "MS4yLjM", "eC55"};
    SCOPED(arena) *arena = arena_create();
    struct page page;
    for (size_t i = 0; i < COUNT(BAD); i++)
        cr_assert_str_eq(page_parse(arena, 1, BAD[i], &page).field, "page_token", "%s", BAD[i]);
    cr_assert_str_eq(page_parse(arena, 101, "", &page).field, "page_size");
    cr_assert_str_eq(page_parse(arena, -1, "", &page).field, "page_size");
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
