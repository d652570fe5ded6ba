#pragma once
// How the shop is doing (SPEC 9), as counters; rates are made of them by whoever reads them.

#include "lib/base/metrics.h"
#include "lib/base/status.h"
#include "services/order/order.h"

struct counters {
    struct metric *placed, *stock_conflicts, *other_refusals;
    struct metric *payments_done, *payments_refused, *payments_given_up;
    struct metric *recovered_paid, *recovered_cancelled;
    struct metric *expired, *refunded;
};

void counters_init(struct counters *counters);

// An order that was not placed.
void count_refusal(const struct counters *counters, struct status refusal);

// A pay saga whose end is durable; `held`: recovery had to decide.
void count_payment(const struct counters *counters, bool held, struct status failure);
