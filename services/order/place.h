#pragma once
// What PlaceOrder and Checkout know of one order between `prepare` and `committed`.

#include "services/order/service.h"

struct placing {
    struct call *call;
    struct order_service *service;
    bool checkout;
    int64_t ttl_ms;

    struct wanted_line *wanted;
    size_t wanted_count;

    int64_t order_id;
    struct order_line *lines; // as held, with names and prices; wanted_count of them
    int64_t total_won;
    int64_t hold_ends_us; // monotonic: the hold lives until then at least, whatever its clock says
    int64_t user_coupon_id; // 0: none
    int64_t discount_won;
    bool stock_held;  // or perhaps held: to be given back if the order does not come to be
    bool coupon_held; // the same

    struct launch *launch; // checkout: set by `handle`
};

// Gives back what was held, without waiting: if it is lost, the sweepers learn that no such order
// lives.
void placing_give_back(struct placing *placing);
