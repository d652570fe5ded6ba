// What happened, as rows.

#include "deploy/baroctl/demo.h"
#include "lib/base/timeid.h"
#include "services/order/payment.h"

#include <assert.h>

static struct copy *begin(struct demo *demo, enum demo_table table)
{
    copy_row(&demo->rows[table]);
    return &demo->rows[table];
}

void demo_movement(struct demo *demo, const struct movement *movement, int64_t at_us)
{
    struct copy *row = begin(demo, ROWS_MOVEMENT);
    copy_int64(row, movement->option_id);
    copy_int64(row, movement->delta);
    copy_text(row, movement_kind_name(movement->kind));
    copy_id(row, movement->order_id);
    copy_text(row, movement->note);
    copy_time(row, at_us);
}

void demo_entry(struct demo_life *life, enum entry_type type, int64_t amount_won)
{
    struct demo *demo = life->demo;
    struct wallet *wallet = &life->user->wallet;
    struct entry entry = {.id = time_id(life->at_us, demo_number(demo, SEQUENCE_ENTRY))};
    struct status st = wallet_apply(wallet, type, amount_won, &entry);
    assert(!failed(st));
    int64_t order_id = type == ENTRY_USE || type == ENTRY_REFUND ? life->order.id : 0;
    wallet->updated_at_us = life->user->busy_until_us = life->at_us;

    struct copy *row = begin(demo, ROWS_WALLET_HISTORY);
    copy_int64(row, entry.id);
    copy_int64(row, entry.user_id);
    copy_int64(row, entry.number);
    copy_text(row, entry_type_name(entry.type));
    copy_int64(row, entry.amount_won);
    copy_int64(row, entry.before_won);
    copy_int64(row, entry.after_won);
    copy_id(row, order_id);
    copy_text(row, "");
    copy_time(row, life->at_us);
    if (!order_id)
        return;
    row = begin(demo, ROWS_WALLET_ORDER_ENTRY);
    copy_int64(row, order_id);
    copy_text(row, entry_type_name(entry.type));
    copy_int64(row, entry.user_id);
    copy_int64(row, entry.amount_won);
}

static void coupon_history(struct demo *demo, struct coupon_entry entry, int64_t at_us)
{
    struct copy *row = begin(demo, ROWS_COUPON_HISTORY);
    copy_int64(row, entry.coupon_id);
    copy_text(row, entry.change);
    copy_id(row, entry.order_id);
    copy_time(row, at_us);
}

void demo_coupon_change(struct demo_life *life, const struct user_coupon *before, int64_t at_us)
{
    if (before->status != life->coupon.status)
        coupon_history(life->demo, coupon_changed(before, &life->coupon), at_us);
}

void demo_coupon_issued(struct demo_life *life)
{
    coupon_history(life->demo, coupon_issued(&life->coupon), life->coupon.issued_at_us);
}

static void coupon_row(struct demo *demo, const struct user_coupon *coupon)
{
    struct copy *row = begin(demo, ROWS_COUPON);
    copy_int64(row, coupon->id);
    copy_int64(row, coupon->campaign->id);
    copy_int64(row, coupon->user_id);
    copy_int64(row, coupon->rank);
    copy_id(row, coupon->order_id);
    copy_int64(row, coupon->discount_won);
    copy_time(row, coupon->issued_at_us);
    copy_time(row, coupon->expires_at_us);
    copy_time(row, coupon->held_until_us);
    copy_time(row, coupon->used_at_us);
    copy_text(row, coupon_status_name(coupon->status));
}

static void order_row(struct demo *demo, const struct order *order)
{
    struct copy *row = begin(demo, ROWS_ORDER);
    copy_int64(row, order->id);
    copy_int64(row, order->user_id);
    copy_id(row, order->saga_id);
    copy_id(row, order->user_coupon_id);
    copy_int64(row, order->total_won);
    copy_int64(row, order->discount_won);
    copy_time(row, order->created_at_us);
    copy_time(row, order->expires_at_us);
    copy_time(row, order->paid_at_us);
    copy_int32(row, (int32_t)order->version);
    copy_int16(row, (int16_t)order->status);
    copy_text(row, order->failure_reason);
    if (order->status != ORDER_PENDING)
        return;
    row = begin(demo, ROWS_PENDING);
    copy_int64(row, order->id);
    copy_time(row, order->expires_at_us);
}

static void line_rows(struct demo *demo, const struct demo_life *life, size_t index)
{
    const struct order_line *line = &life->order.lines[index];
    struct copy *row = begin(demo, ROWS_ITEM);
    copy_int64(row, life->order.id);
    copy_int64(row, line->option_id);
    copy_int64(row, line->product_id);
    copy_int64(row, line->price_won);
    copy_int32(row, (int32_t)line->quantity);
    copy_int16(row, (int16_t)index);
    copy_text(row, line->product_name);
    copy_text(row, line->option_name);
    row = begin(demo, ROWS_HOLD);
    copy_int64(row, life->order.id);
    copy_int64(row, line->option_id);
    copy_int64(row, line->quantity);
    copy_text(row, hold_status_name(life->holds));
    copy_time(row, life->order.expires_at_us);
}

static void change_rows(struct demo *demo, const struct order *order)
{
    for (size_t i = 0; i < order->change_count; i++) {
        struct copy *row = begin(demo, ROWS_ORDER_HISTORY);
        copy_int64(row, order->id);
        copy_time(row, order->changes[i].at_us);
        copy_int32(row, (int32_t)i + 1);
        copy_int16(row, (int16_t)order->changes[i].status);
        copy_text(row, order->changes[i].reason);
    }
}

static void payment_rows(struct demo *demo, const struct payment *payment)
{
    struct copy *row = begin(demo, ROWS_PAYMENT);
    copy_int64(row, payment->id);
    copy_int64(row, payment->order_id);
    copy_int64(row, payment->amount_won);
    copy_time(row, payment->created_at_us);
    copy_time(row, payment->completed_at_us);
    copy_int16(row, (int16_t)payment->version);
    copy_int16(row, (int16_t)payment->status);
    copy_text(row, payment->reason);
    for (size_t i = 0; i < payment->change_count; i++) {
        row = begin(demo, ROWS_PAYMENT_HISTORY);
        copy_int64(row, payment->order_id);
        copy_int64(row, payment->id);
        copy_time(row, payment->changes[i].at_us);
        copy_int16(row, (int16_t)(i + 1));
        copy_int16(row, (int16_t)payment->changes[i].from);
        copy_int16(row, (int16_t)payment->changes[i].to);
        copy_text(row, payment->changes[i].reason);
    }
}

void demo_order_rows(struct demo_life *life)
{
    struct demo *demo = life->demo;
    order_row(demo, &life->order);
    change_rows(demo, &life->order);
    for (size_t i = 0; i < life->order.line_count; i++)
        line_rows(demo, life, i);
    for (size_t i = 0; i < life->order.payment_count; i++)
        payment_rows(demo, &life->order.payments[i]);
    if (life->coupon.id)
        coupon_row(demo, &life->coupon);
}
