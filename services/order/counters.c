// Counted after the commit, so that a batch that is run again counts once.

#include "services/order/counters.h"

void counters_init(struct counters *counters)
{
    const char *orders = "baro_order_orders_total",
               *orders_help = "Orders, by what became of them.";
    const char *payments = "baro_order_payments_total",
               *payments_help = "Attempts to pay that ended.";
    const char *held = "baro_order_recovered_total", *held_help = "Held orders that were decided.";
    *counters = (struct counters){
        .placed = metrics_counter(orders, orders_help, "outcome=\"placed\""),
        .stock_conflicts = metrics_counter(orders, orders_help, "outcome=\"stock_conflict\""),
        .other_refusals = metrics_counter(orders, orders_help, "outcome=\"refused\""),
        .expired = metrics_counter(orders, orders_help, "outcome=\"expired\""),
        .refunded = metrics_counter(orders, orders_help, "outcome=\"refunded\""),
        .payments_done = metrics_counter(payments, payments_help, "outcome=\"completed\""),
        .payments_refused = metrics_counter(payments, payments_help, "outcome=\"refused\""),
        .payments_given_up = metrics_counter(payments, payments_help, "outcome=\"given_up\""),
        .recovered_paid = metrics_counter(held, held_help, "outcome=\"paid\""),
        .recovered_cancelled = metrics_counter(held, held_help, "outcome=\"cancelled\""),
    };
}

void count_refusal(const struct counters *counters, struct status refusal)
{
    bool conflict = refusal.reason == REASON_INSUFFICIENT_STOCK;
    metric_add(conflict ? counters->stock_conflicts : counters->other_refusals, 1);
}

void count_payment(const struct counters *counters, bool held, struct status failure)
{
    if (!failed(failure))
        metric_add(counters->payments_done, 1);
    else if (failure.reason == REASON_SYSTEM_FAILURE)
        metric_add(counters->payments_given_up, 1);
    else
        metric_add(counters->payments_refused, 1);
    if (held)
        metric_add(failed(failure) ? counters->recovered_cancelled : counters->recovered_paid, 1);
}
