// The order's state machine is this table (SPEC 2); what is not listed is refused.

#include "services/order/order.h"

#include "lib/base/macros.h"
#include "lib/base/money.h"
#include "lib/base/text.h"

#include <assert.h>

static const struct {
    enum order_status from;
    enum order_event event;
    enum order_status to;
} EDGES[] = {
    {ORDER_PENDING,   ORDER_PAY,       ORDER_PAYING   },
    {ORDER_PAYING,    ORDER_COMPLETE,  ORDER_PAID     },
    {ORDER_PAYING,    ORDER_REFUSE,    ORDER_PENDING  },
    {ORDER_PAYING,    ORDER_FAIL,      ORDER_FAILED   },
    {ORDER_PAYING,    ORDER_LOSE_HOLD, ORDER_EXPIRED  },
    {ORDER_PAYING,    ORDER_GO_SILENT, ORDER_HELD     },
    {ORDER_HELD,      ORDER_COMPLETE,  ORDER_PAID     },
    {ORDER_HELD,      ORDER_GIVE_UP,   ORDER_CANCELLED},
    {ORDER_PENDING,   ORDER_EXPIRE,    ORDER_EXPIRED  },
    {ORDER_PENDING,   ORDER_CANCEL,    ORDER_CANCELLED},
    {ORDER_PAID,      ORDER_CANCEL,    ORDER_REFUNDING},
    {ORDER_REFUNDING, ORDER_REFUND,    ORDER_REFUNDED },
    {ORDER_PAID,      ORDER_PREPARE,   ORDER_PREPARING},
    {ORDER_PREPARING, ORDER_SHIP,      ORDER_SHIPPING },
    {ORDER_SHIPPING,  ORDER_DELIVER,   ORDER_DELIVERED},
};

static const char *const STATUS_NAMES[] = {
    [ORDER_PENDING] = "PENDING",     [ORDER_PAYING] = "PAYING",       [ORDER_HELD] = "HELD",
    [ORDER_PAID] = "PAID",           [ORDER_PREPARING] = "PREPARING", [ORDER_SHIPPING] = "SHIPPING",
    [ORDER_DELIVERED] = "DELIVERED", [ORDER_FAILED] = "FAILED",       [ORDER_EXPIRED] = "EXPIRED",
    [ORDER_CANCELLED] = "CANCELLED", [ORDER_REFUNDING] = "REFUNDING", [ORDER_REFUNDED] = "REFUNDED",
};

static const char *const EVENT_NAMES[ORDER_EVENT_COUNT] = {
    [ORDER_PAY] = "pay",         [ORDER_COMPLETE] = "complete",   [ORDER_REFUSE] = "refuse",
    [ORDER_FAIL] = "fail",       [ORDER_LOSE_HOLD] = "lose hold", [ORDER_GO_SILENT] = "go silent",
    [ORDER_GIVE_UP] = "give up", [ORDER_EXPIRE] = "expire",       [ORDER_CANCEL] = "cancel",
    [ORDER_REFUND] = "refund",   [ORDER_PREPARE] = "prepare",     [ORDER_SHIP] = "ship",
    [ORDER_DELIVER] = "deliver",
};

const char *order_status_name(enum order_status status)
{
    bool known = (size_t)status < COUNT(STATUS_NAMES) && STATUS_NAMES[status];
    return known ? STATUS_NAMES[status] : "";
}

const char *order_event_name(enum order_event event)
{
    assert(event < ORDER_EVENT_COUNT);
    return EVENT_NAMES[event];
}

bool order_next(enum order_status from, enum order_event event, enum order_status *to)
{
    for (size_t i = 0; i < COUNT(EDGES); i++)
        if (EDGES[i].from == from && EDGES[i].event == event) {
            *to = EDGES[i].to;
            return true;
        }
    return false;
}

bool order_admin_event(enum order_status wanted, enum order_event *event)
{
    static const struct {
        enum order_status wanted;
        enum order_event event;
    } EVENTS[] = {
        {ORDER_PREPARING, ORDER_PREPARE},
        {ORDER_SHIPPING,  ORDER_SHIP   },
        {ORDER_DELIVERED, ORDER_DELIVER},
    };
    for (size_t i = 0; i < COUNT(EVENTS); i++)
        if (EVENTS[i].wanted == wanted) {
            *event = EVENTS[i].event;
            return true;
        }
    return false;
}

bool order_is_final(enum order_status status)
{
    return status == ORDER_FAILED || status == ORDER_EXPIRED || status == ORDER_CANCELLED ||
           status == ORDER_REFUNDED;
}

int64_t order_final_won(const struct order *order)
{
    return order->total_won - order->discount_won;
}

int64_t order_change_version(const struct order *order, size_t change)
{
    return order->version - (int64_t)(order->change_count - 1 - change);
}

static void add_change(struct order *order, struct arena *arena, const char *reason, int64_t now_us)
{
    size_t count = order->change_count;
    struct order_change *changes = arena_array(arena, count + 1, sizeof(*changes));
    for (size_t i = 0; i < count; i++)
        changes[i] = order->changes[i];
    changes[count] = (struct order_change){order->status, now_us, reason};
    order->changes = changes;
    order->change_count = count + 1;
    order->version++;
}

void order_begin(struct order *order, struct arena *arena, int64_t now_us)
{
    order->status = ORDER_PENDING;
    order->created_at_us = now_us;
    add_change(order, arena, NULL, now_us);
}

bool order_apply(struct order *order, struct arena *arena, enum order_event event,
                 const char *reason, int64_t now_us)
{
    if (!order_next(order->status, event, &order->status))
        return false;
    if (event == ORDER_COMPLETE)
        order->paid_at_us = now_us;
    if (order_is_final(order->status) && reason)
        order->failure_reason = reason;
    add_change(order, arena, reason, now_us);
    return true;
}

static struct status merge(struct wanted_line *lines, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        size_t at = 0;
        while (at < kept && lines[at].option_id != lines[i].option_id)
            at++;
        if (at == kept)
            lines[kept++] = lines[i];
        else
            lines[at].quantity += lines[i].quantity;
        if (lines[at].quantity > ORDER_PRODUCT_UNITS_MAX)
            return invalid("items", "an order has at most 10 units of one product");
    }
    *count = kept;
    return OK;
}

struct status order_check_wanted(struct wanted_line *lines, size_t *count)
{
    if (*count == 0)
        return invalid("items", "an order has at least one item");
    for (size_t i = 0; i < *count; i++) {
        if (lines[i].option_id <= 0)
            return invalid("items.option_id", "must be the id of an option");
        if (lines[i].quantity < 1)
            return invalid("items.quantity", "must be at least 1");
        if (lines[i].quantity > ORDER_PRODUCT_UNITS_MAX)
            return invalid("items.quantity", "an order has at most 10 units of one product");
    }
    struct status st = merge(lines, count);
    if (failed(st))
        return st;
    int64_t units = 0;
    for (size_t i = 0; i < *count; i++)
        units += lines[i].quantity;
    return units <= ORDER_UNITS_MAX ? OK : invalid("items", "an order has at most 30 units");
}

struct status order_check_products(const struct order_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t units = 0;
        for (size_t j = 0; j < count; j++)
            units += lines[j].product_id == lines[i].product_id ? lines[j].quantity : 0;
        if (units > ORDER_PRODUCT_UNITS_MAX)
            return invalid("items", "an order has at most 10 units of one product");
    }
    return OK;
}

struct status order_total(const struct order_line *lines, size_t count, int64_t *total_won)
{
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t subtotal;
        if (!money_multiply(lines[i].price_won, lines[i].quantity, &subtotal) ||
            !money_add(total, subtotal, &total))
            return invalid("items", "the order is worth more than we can count");
    }
    *total_won = total;
    return OK;
}

struct status order_check_payable(const struct order *order, int64_t now_us)
{
    if (order->status == ORDER_EXPIRED ||
        (order->status == ORDER_PENDING && order->expires_at_us <= now_us))
        return refuse(REASON_ORDER_EXPIRED, "the order was not paid in time");
    if (order->status == ORDER_PENDING)
        return OK;
    if (order->paid_at_us)
        return refuse(REASON_ORDER_ALREADY_PAID, "the order is paid already");
    return refuse(REASON_ORDER_NOT_PAYABLE, "the order cannot be paid in its present state");
}

struct status order_illegal(struct arena *arena, const struct order *order, const char *wish)
{
    return refuse(REASON_ILLEGAL_TRANSITION, text_printf(arena, "an order that is %s cannot be %s",
                                                         order_status_name(order->status), wish));
}
