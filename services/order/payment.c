// The attempt's state machine is this table (SPEC 2); what is not listed is refused.

#include "services/order/payment.h"

#include "lib/base/macros.h"

#include <assert.h>

static const struct {
    enum payment_status from;
    enum payment_event event;
    enum payment_status to;
} EDGES[] = {
    {PAYMENT_PENDING,    PAYMENT_PROCESS,  PAYMENT_PROCESSING},
    {PAYMENT_PROCESSING, PAYMENT_COMPLETE, PAYMENT_COMPLETED },
    {PAYMENT_PROCESSING, PAYMENT_FAIL,     PAYMENT_FAILED    },
    {PAYMENT_PROCESSING, PAYMENT_CANCEL,   PAYMENT_CANCELLED },
    {PAYMENT_COMPLETED,  PAYMENT_REFUND,   PAYMENT_REFUNDED  },
};

static const char *const STATUS_NAMES[] = {
    [PAYMENT_PENDING] = "PENDING",     [PAYMENT_PROCESSING] = "PROCESSING",
    [PAYMENT_COMPLETED] = "COMPLETED", [PAYMENT_FAILED] = "FAILED",
    [PAYMENT_CANCELLED] = "CANCELLED", [PAYMENT_REFUNDED] = "REFUNDED",
};

static const char *const EVENT_NAMES[PAYMENT_EVENT_COUNT] = {
    [PAYMENT_PROCESS] = "process", [PAYMENT_COMPLETE] = "complete", [PAYMENT_FAIL] = "fail",
    [PAYMENT_CANCEL] = "cancel",   [PAYMENT_REFUND] = "refund",
};

const char *payment_status_name(enum payment_status status)
{
    bool known = (size_t)status < COUNT(STATUS_NAMES) && STATUS_NAMES[status];
    return known ? STATUS_NAMES[status] : "";
}

const char *payment_event_name(enum payment_event event)
{
    assert(event < PAYMENT_EVENT_COUNT);
    return EVENT_NAMES[event];
}

bool payment_next(enum payment_status from, enum payment_event event, enum payment_status *to)
{
    for (size_t i = 0; i < COUNT(EDGES); i++)
        if (EDGES[i].from == from && EDGES[i].event == event) {
            *to = EDGES[i].to;
            return true;
        }
    return false;
}

struct payment payment_begin(int64_t id, int64_t order_id, int64_t amount_won, int64_t now_us)
{
    return (struct payment){
        .id = id,
        .order_id = order_id,
        .amount_won = amount_won,
        .created_at_us = now_us,
        .status = PAYMENT_PENDING,
    };
}

bool payment_apply(struct payment *payment, struct arena *arena, enum payment_event event,
                   const char *reason, int64_t now_us)
{
    enum payment_status from = payment->status;
    if (!payment_next(from, event, &payment->status))
        return false;
    size_t count = payment->change_count;
    struct payment_change *changes = arena_array(arena, count + 1, sizeof(*changes));
    for (size_t i = 0; i < count; i++)
        changes[i] = payment->changes[i];
    changes[count] = (struct payment_change){from, payment->status, now_us, reason};
    payment->changes = changes;
    payment->change_count = count + 1;
    payment->version++;
    payment->reason = reason;
    if (event == PAYMENT_COMPLETE)
        payment->completed_at_us = now_us;
    return true;
}
