// The table of flows. Choices come from one generator with a fixed seed: the same in every run.

#include "tests/bench/flow.h"

#include "lib/base/macros.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// xorshift64*
static int64_t pick(struct market *market, int64_t count)
{
    market->random ^= market->random >> 12;
    market->random ^= market->random << 25;
    market->random ^= market->random >> 27;
    uint64_t random = market->random * UINT64_C(2685821657736338717);
    return (int64_t)((random >> 11) % (uint64_t)count);
}

static int64_t any_of(struct market *market, const struct range *range)
{
    return range->first + pick(market, range->count);
}

// Coupon n belongs to user n: the seed gave one to each, again and again.
static void take_coupon(struct market *market, struct journey *journey)
{
    if (market->next_coupon >= market->coupons.count || pick(market, 100) >= market->coupon_percent)
        return;
    journey->user = (size_t)(market->next_coupon % market->users.count);
    journey->coupon_id = market->coupons.first + market->next_coupon++;
}

static void choose_goods(struct market *market, struct journey *journey)
{
    journey->subject_id = any_of(market, &market->options);
    take_coupon(market, journey);
}

static void choose_product(struct market *market, struct journey *journey)
{
    journey->subject_id = any_of(market, &market->products);
}

static void choose_campaign(struct market *market, struct journey *journey)
{
    journey->subject_id = market->campaign;
}

static void orders_path(const struct journey *journey, char *path, size_t size)
{
    (void)journey;
    snprintf(path, size, "/api/v1/orders");
}

static void checkout_path(const struct journey *journey, char *path, size_t size)
{
    (void)journey;
    snprintf(path, size, "/api/v1/checkout");
}

static void payment_path(const struct journey *journey, char *path, size_t size)
{
    snprintf(path, size, "/api/v1/orders/%" PRId64 "/payment", journey->order_id);
}

static void product_path(const struct journey *journey, char *path, size_t size)
{
    snprintf(path, size, "/api/v1/products/%" PRId64, journey->subject_id);
}

static void claims_path(const struct journey *journey, char *path, size_t size)
{
    snprintf(path, size, "/api/v1/coupons/%" PRId64 "/claims", journey->subject_id);
}

static void balance_path(const struct journey *journey, char *path, size_t size)
{
    (void)journey;
    snprintf(path, size, "/api/v1/me/balance");
}

// Neighbours of the first option, so that no line is twice the same.
static void goods_body(struct market *market, const struct journey *journey, char *body,
                       size_t size)
{
    int64_t lines = 1 + pick(market, market->lines);
    size_t length = (size_t)snprintf(body, size, "{\"items\":[");
    for (int64_t i = 0; i < lines; i++) {
        int64_t offset = journey->subject_id - market->options.first + i;
        length += (size_t)snprintf(body + length, size - length,
                                   "%s{\"option_id\":%" PRId64 ",\"quantity\":1}", i ? "," : "",
                                   market->options.first + offset % market->options.count);
    }
    length += (size_t)snprintf(body + length, size - length, "]");
    if (journey->coupon_id)
        length += (size_t)snprintf(body + length, size - length, ",\"user_coupon_id\":%" PRId64,
                                   journey->coupon_id);
    snprintf(body + length, size - length, "}");
}

static void empty_body(struct market *market, const struct journey *journey, char *body,
                       size_t size)
{
    (void)market, (void)journey;
    snprintf(body, size, "{}");
}

// clang-format off
static const struct flow FLOWS[] = {
    {"order",    choose_goods,    {{"POST", orders_path,   goods_body, 201},
                                   {"POST", payment_path,  empty_body, 200}}, 2},
    {"place",    choose_goods,    {{"POST", orders_path,   goods_body, 201}}, 1},
    {"checkout", choose_goods,    {{"POST", checkout_path, goods_body, 200}}, 1},
    {"claim",    choose_campaign, {{"POST", claims_path,   empty_body, 201}}, 1},
    {"product",  choose_product,  {{"GET",  product_path,  NULL,       200}}, 1},
    {"balance",  choose_product,  {{"GET",  balance_path,  NULL,       200}}, 1},
};
// clang-format on

const struct flow *flow_find(const char *name)
{
    for (size_t i = 0; i < COUNT(FLOWS); i++)
        if (strcmp(FLOWS[i].name, name) == 0)
            return &FLOWS[i];
    return NULL;
}

void flow_begin(const struct flow *flow, struct market *market, struct journey *journey)
{
    int64_t user = market->each_once ? market->next_user++ % market->users.count
                                     : pick(market, market->users.count);
    *journey = (struct journey){.user = (size_t)user};
    flow->choose(market, journey);
}
