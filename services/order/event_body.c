#include "services/order/event_body.h"

#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "proto/order.pb-c.h"
#include "services/order/order.h"

#include <string.h>

static void add_text(struct text_buffer *out, const char *name, const char *value)
{
    text_appendf(out, "\"%s\":", name);
    text_append_json(out, value, strlen(value));
}

static void add_time(struct text_buffer *out, const char *name, const Baro__Timestamp *time)
{
    if (time)
        add_text(out, name, text_from_time(out->arena, time->us));
    else
        text_appendf(out, "\"%s\":null", name);
}

static void add_number(struct text_buffer *out, const char *name, int64_t value)
{
    text_appendf(out, "\"%s\":%lld,", name, (long long)value);
}

static void add_item(struct text_buffer *out, const Baro__Order__OrderItem *item)
{
    text_append_char(out, '{');
    add_number(out, "option_id", item->option_id);
    add_number(out, "product_id", item->product_id);
    add_text(out, "product_name", item->product_name);
    text_append_char(out, ',');
    add_text(out, "option_name", item->option_name);
    text_append_char(out, ',');
    add_number(out, "unit_price", item->unit_price);
    add_number(out, "quantity", item->quantity);
    text_appendf(out, "\"subtotal\":%lld}", (long long)item->subtotal);
}

static void add_order(struct text_buffer *out, const Baro__Order__OrderChanged *order)
{
    text_append_char(out, '{');
    add_number(out, "order_id", order->order_id);
    add_number(out, "user_id", order->user_id);
    add_text(out, "status", order_status_name((enum order_status)order->status));
    text_append_char(out, ',');
    add_number(out, "version", order->version);
    add_number(out, "total_amount", order->total_amount);
    add_number(out, "discount_amount", order->discount_amount);
    add_number(out, "final_amount", order->final_amount);
    add_text(out, "reason", order->reason);
    text_append(out, ",\"items\":[");
    for (size_t i = 0; i < order->n_items; i++) {
        if (i)
            text_append_char(out, ',');
        add_item(out, order->items[i]);
    }
    text_append(out, "],");
    add_time(out, "paid_at", order->paid_at);
    text_append_char(out, '}');
}

char *event_body(struct arena *arena, const Baro__Event *event, size_t *size)
{
    const Baro__Order__OrderChanged *order = (const Baro__Order__OrderChanged *)protobuf_unpack(
        &baro__order__order_changed__descriptor, event->payload.len, event->payload.data, arena);
    struct text_buffer out;
    text_buffer_init(&out, arena, 1024);
    text_append_char(&out, '{');
    add_text(&out, "type", event->kind);
    text_append_char(&out, ',');
    add_text(&out, "timestamp", text_from_time(arena, event->occurred_at_us));
    text_append(&out, ",\"data\":");
    if (order)
        add_order(&out, order);
    else
        text_append(&out, "null");
    text_append_char(&out, '}');
    *size = out.length;
    return out.data;
}

char *event_message_id(struct arena *arena, int64_t event_id)
{
    return text_printf(arena, "evt_%lld", (long long)event_id);
}
