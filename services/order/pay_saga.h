#pragma once
// The three sagas of an order, and what the end of a payment means for it. Pure.

#include "lib/saga/saga.h"
#include "services/order/order.h"
#include "services/order/payment.h"

extern const struct saga_definition pay_saga;
extern const struct saga_definition refund_saga;
extern const struct saga_definition release_saga;

// The definition of that kind; NULL for a kind that this build does not know.
const struct saga_definition *saga_definition_of(const char *kind);

// What the end of a pay saga does to its order and attempt (SPEC 2, "Failure of a payment").
struct pay_end {
    struct {
        enum order_event event;
        const char *reason; // NULL: none
    } steps[2];
    size_t step_count;
    enum payment_event payment;
    const char *payment_reason; // NULL: none
    struct status answer;       // what whoever waits is told; OK: the order as it is now
};

// `failure` is the saga's; `now` is the order's status: PAYING or HELD.
struct pay_end pay_saga_end(enum order_status now, bool checkout, struct status failure);
