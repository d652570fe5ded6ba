#pragma once
// What the load generator's customers do: a flow is one or two requests, the second with what the
// first has answered.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    int64_t first, count;
};

// What there is to buy, and who buys.
struct market {
    struct range users, options, products, coupons;
    int64_t lines;          // of an order, 1 to so many
    int64_t campaign;       // that is claimed
    int64_t coupon_percent; // of the orders that come with a coupon, while there are some
    bool each_once;         // customer n is user n, not any
    uint64_t random;
    int64_t next_user, next_coupon; // taken so far
};

// One customer's way through a flow.
struct journey {
    size_t user;        // index among the market's users
    int64_t coupon_id;  // 0: none
    int64_t subject_id; // what is bought, read or claimed; the first of an order's options
    int64_t order_id;   // from the answer of the first request
    size_t step;
};

struct step {
    const char *method;
    void (*write_path)(const struct journey *journey, char *path, size_t size);
    // NULL: the request has no body.
    void (*write_body)(struct market *market, const struct journey *journey, char *body,
                       size_t size);
    int success; // the status of a good answer
};

struct flow {
    const char *name;
    void (*choose)(struct market *market, struct journey *journey);
    struct step steps[2];
    size_t step_count;
};

// NULL when there is no such flow.
const struct flow *flow_find(const char *name);

// A new journey: who, and what.
void flow_begin(const struct flow *flow, struct market *market, struct journey *journey);
