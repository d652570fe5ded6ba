// What the product service does with the events of the order service: it counts what sells. Sales are
// counted in the hour of the payment and, when the order is refunded, taken back in that same hour.
//
// Payments of a lot are added before its refunds are taken back: an order is paid before it is
// refunded, so a bucket never goes below zero in between.

#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "services/product/service.h"
#include "services/product/store.h"
#include "services/product/wire.h"

#include <string.h>

static const struct {
    const char *kind;
    struct status (*store)(struct db *db, struct arena *arena, const struct sale *sales,
                           size_t count);
} SUBSCRIPTIONS[] = {
    {"order.paid",     store_add_sales      },
    {"order.refunded", store_take_sales_back},
};

// Whoever waited for this event to become readable would wait for ever.
static void skip(const Baro__Event *event)
{
    static struct log_throttle noise;
    metric_add(metrics_counter("baro_product_events_skipped_total",
                               "Events that could not be understood", NULL),
               1);
    if (log_once_per(&noise, LOG_PERIOD_MS))
        log_error("event not understood", log_int("event_id", event->id),
                  log_text("kind", event->kind), log_int("order_id", event->key));
}

static const Baro__Order__OrderChanged *unpack(const Baro__Event *event, struct arena *arena)
{
    return (const void *)protobuf_unpack(&baro__order__order_changed__descriptor,
                                         event->payload.len, event->payload.data, arena);
}

// The sales that the events of one kind tell of.
static struct sale *collect(const char *kind, struct arena *arena, Baro__Event *const *events,
                            size_t event_count, size_t *count)
{
    const Baro__Order__OrderChanged **orders =
        arena_array(arena, event_count, sizeof(Baro__Order__OrderChanged *));
    size_t order_count = 0, line_count = 0;
    for (size_t i = 0; i < event_count; i++) {
        if (strcmp(events[i]->kind, kind) != 0)
            continue;
        const Baro__Order__OrderChanged *order = unpack(events[i], arena);
        if (!order || !order->paid_at) {
            skip(events[i]);
            continue;
        }
        orders[order_count++] = order;
        line_count += order->n_items;
    }
    struct sale *sales = arena_array(arena, line_count + 1, sizeof(*sales));
    *count = 0;
    for (size_t i = 0; i < order_count; i++)
        *count += wire_sales(orders[i], sales + *count);
    return sales;
}

struct status count_sales(void *service, struct db *db, struct arena *arena,
                          Baro__Event *const *events, size_t count)
{
    struct status st = OK;
    (void)service;
    for (size_t i = 0; !failed(st) && i < COUNT(SUBSCRIPTIONS); i++) {
        size_t sale_count;
        const struct sale *sales =
            collect(SUBSCRIPTIONS[i].kind, arena, events, count, &sale_count);
        st = SUBSCRIPTIONS[i].store(db, arena, sales, sale_count);
    }
    return st;
}
