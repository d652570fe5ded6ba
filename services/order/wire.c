// Domain -> protobuf.

#include "services/order/wire.h"

#include "lib/base/protobuf.h"
#include "lib/base/text.h"

#include <ctype.h>
#include <string.h>

// protobuf-c's strings are never written through, but their type says otherwise.
static char *text(struct arena *arena, const char *value)
{
    return text_copy(arena, value ? value : "");
}

static Baro__Order__OrderItem **wire_lines(struct arena *arena, const struct order *order)
{
    Baro__Order__OrderItem **items = arena_array(arena, order->line_count + 1, sizeof(*items));
    for (size_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order->lines[i];
        Baro__Order__OrderItem *item = items[i] = arena_alloc(arena, sizeof(*item));
        baro__order__order_item__init(item);
        item->option_id = line->option_id;
        item->product_id = line->product_id;
        item->product_name = text(arena, line->product_name);
        item->option_name = text(arena, line->option_name);
        item->unit_price = line->price_won;
        item->quantity = line->quantity;
        item->subtotal = line->price_won * line->quantity;
    }
    return items;
}

static Baro__Order__StatusChange **wire_changes(struct arena *arena, const struct order *order)
{
    Baro__Order__StatusChange **changes =
        arena_array(arena, order->change_count + 1, sizeof(*changes));
    for (size_t i = 0; i < order->change_count; i++) {
        Baro__Order__StatusChange *change = changes[i] = arena_alloc(arena, sizeof(*change));
        baro__order__status_change__init(change);
        change->status = (Baro__Order__OrderStatus)order->changes[i].status;
        change->at = wire_time(arena, order->changes[i].at_us);
        change->reason = text(arena, order->changes[i].reason);
    }
    return changes;
}

static Baro__Order__PaymentChange **wire_payment_changes(struct arena *arena,
                                                         const struct payment *payment)
{
    Baro__Order__PaymentChange **changes =
        arena_array(arena, payment->change_count + 1, sizeof(*changes));
    for (size_t i = 0; i < payment->change_count; i++) {
        Baro__Order__PaymentChange *change = changes[i] = arena_alloc(arena, sizeof(*change));
        baro__order__payment_change__init(change);
        change->from = (Baro__Order__PaymentStatus)payment->changes[i].from;
        change->to = (Baro__Order__PaymentStatus)payment->changes[i].to;
        change->at = wire_time(arena, payment->changes[i].at_us);
        change->reason = text(arena, payment->changes[i].reason);
    }
    return changes;
}

Baro__Order__PaymentView *wire_payment(struct arena *arena, const struct payment *payment)
{
    Baro__Order__PaymentView *view = arena_alloc(arena, sizeof(*view));
    baro__order__payment_view__init(view);
    view->id = payment->id;
    view->order_id = payment->order_id;
    view->status = (Baro__Order__PaymentStatus)payment->status;
    view->amount = payment->amount_won;
    view->reason = text(arena, payment->reason);
    view->created_at = wire_time(arena, payment->created_at_us);
    view->completed_at = wire_time(arena, payment->completed_at_us);
    view->n_history = payment->change_count;
    view->history = wire_payment_changes(arena, payment);
    return view;
}

Baro__Order__OrderView *wire_order(struct arena *arena, const struct order *order)
{
    Baro__Order__OrderView *view = arena_alloc(arena, sizeof(*view));
    baro__order__order_view__init(view);
    view->id = order->id;
    view->user_id = order->user_id;
    view->status = (Baro__Order__OrderStatus)order->status;
    view->total_amount = order->total_won;
    view->discount_amount = order->discount_won;
    view->final_amount = order_final_won(order);
    view->user_coupon_id = wire_optional(arena, order->user_coupon_id);
    view->n_items = order->line_count;
    view->items = wire_lines(arena, order);
    view->n_payments = order->payment_count;
    view->payments = arena_array(arena, order->payment_count + 1, sizeof(*view->payments));
    for (size_t i = 0; i < order->payment_count; i++)
        view->payments[i] = wire_payment(arena, &order->payments[i]);
    view->n_timeline = order->change_count;
    view->timeline = wire_changes(arena, order);
    view->failure_reason = text(arena, order->failure_reason);
    view->created_at = wire_time(arena, order->created_at_us);
    view->expires_at = wire_time(arena, order->expires_at_us);
    view->paid_at = wire_time(arena, order->paid_at_us);
    return view;
}

char *wire_event_kind(struct arena *arena, enum order_status status)
{
    char *kind = text_printf(arena, "order.%s", order_status_name(status));
    for (char *c = kind; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return kind;
}

const Baro__Event *wire_event(struct arena *arena, const struct order *order,
                              const struct order_change *change)
{
    Baro__Order__OrderChanged payload;
    baro__order__order_changed__init(&payload);
    payload.order_id = order->id;
    payload.user_id = order->user_id;
    payload.status = (Baro__Order__OrderStatus)change->status;
    payload.version = order_change_version(order, (size_t)(change - order->changes));
    payload.total_amount = order->total_won;
    payload.discount_amount = order->discount_won;
    payload.final_amount = order_final_won(order);
    payload.reason = text(arena, change->reason);
    payload.n_items = order->line_count;
    payload.items = wire_lines(arena, order);
    payload.paid_at = wire_time(arena, order->paid_at_us);

    Baro__Event *event = arena_alloc(arena, sizeof(*event));
    baro__event__init(event);
    event->kind = wire_event_kind(arena, change->status);
    event->key = order->id;
    event->occurred_at_us = change->at_us;
    event->payload.data = protobuf_pack(&payload.base, arena, &event->payload.len);
    return event;
}

const Baro__Order__SagaTimeline *wire_saga_timeline(struct arena *arena, const struct saga_row *row)
{
    if (!row->timeline.data)
        return NULL;
    return (const Baro__Order__SagaTimeline *)protobuf_unpack(
        &baro__order__saga_timeline__descriptor, row->timeline.size, row->timeline.data, arena);
}

static bool has_step(const Baro__Order__SagaTimeline *timeline,
                     const Baro__Order__SagaStepView *step)
{
    for (size_t i = 0; i < timeline->n_steps; i++)
        if (strcmp(timeline->steps[i]->name, step->name) == 0 &&
            strcmp(timeline->steps[i]->op, step->op) == 0)
            return true;
    return false;
}

const Baro__Order__SagaTimeline *wire_merge(struct arena *arena,
                                            const Baro__Order__SagaTimeline *stored,
                                            const Baro__Order__SagaTimeline *recorded)
{
    if (!stored || !recorded)
        return recorded ? recorded : stored;
    Baro__Order__SagaTimeline *merged = arena_alloc(arena, sizeof(*merged));
    baro__order__saga_timeline__init(merged);
    merged->steps =
        arena_array(arena, stored->n_steps + recorded->n_steps + 1, sizeof(*merged->steps));
    for (size_t i = 0; i < stored->n_steps; i++)
        if (!has_step(recorded, stored->steps[i]))
            merged->steps[merged->n_steps++] = stored->steps[i];
    for (size_t i = 0; i < recorded->n_steps; i++)
        merged->steps[merged->n_steps++] = recorded->steps[i];
    return merged;
}

static Baro__Order__OrderEvent *order_event(struct arena *arena, const char *id, const char *type,
                                            int64_t order_id, int64_t at_us)
{
    Baro__Order__OrderEvent *event = arena_alloc(arena, sizeof(*event));
    baro__order__order_event__init(event);
    event->id = text(arena, id);
    event->type = text(arena, type);
    event->order_id = order_id;
    event->at = wire_time(arena, at_us);
    return event;
}

Baro__Order__OrderEvent *wire_order_status(struct arena *arena, const char *id, int64_t order_id,
                                           const struct order_change *change)
{
    Baro__Order__OrderEvent *event = order_event(arena, id, "status", order_id, change->at_us);
    event->status = (Baro__Order__OrderStatus)change->status;
    event->reason = text(arena, change->reason);
    return event;
}

Baro__Order__OrderEvent *wire_order_step(struct arena *arena, const char *id,
                                         const struct saga_row *saga,
                                         const Baro__Order__SagaStepView *step)
{
    Baro__Order__OrderEvent *event =
        order_event(arena, id, "step", saga->order_id, wire_us(step->finished_at));
    event->step = arena_alloc(arena, sizeof(*event->step));
    baro__order__order_step__init(event->step);
    event->step->saga_id = saga->id;
    event->step->saga = text(arena, saga->kind);
    event->step->name = step->name;
    event->step->op = step->op;
    event->step->outcome = step->outcome;
    event->step->attempts = step->attempts;
    event->step->started_at = step->started_at;
    return event;
}

Baro__Order__SagaView *wire_saga(struct arena *arena, const struct saga_row *row)
{
    Baro__Order__SagaView *view = arena_alloc(arena, sizeof(*view));
    baro__order__saga_view__init(view);
    view->id = row->id;
    view->kind = text(arena, row->kind);
    view->order_id = row->order_id;
    view->state = text(arena, saga_state_name(row->state));
    view->step = text(arena, row->step);
    view->attempts = (int32_t)row->attempts;
    view->parked = row->parked;
    view->created_at = wire_time(arena, row->created_at_us);
    view->updated_at = wire_time(arena, row->updated_at_us);
    const Baro__Order__SagaTimeline *timeline = wire_saga_timeline(arena, row);
    if (timeline) {
        view->n_steps = timeline->n_steps;
        view->steps = timeline->steps;
    }
    return view;
}

static Baro__Order__SagaStepView *wire_step(struct arena *arena,
                                            const struct saga_progress *progress)
{
    Baro__Order__SagaStepView *step = arena_alloc(arena, sizeof(*step));
    baro__order__saga_step_view__init(step);
    step->name = text(arena, progress->step->name);
    step->op = text(arena, progress->compensation ? "compensation" : "action");
    step->outcome = text(arena, saga_outcome_name(progress->outcome));
    step->attempts = progress->attempts;
    step->started_at = wire_time(arena, progress->started_at_us);
    step->finished_at = wire_time(arena, progress->finished_at_us);
    return step;
}

Baro__Order__SagaTimeline *wire_timeline(struct arena *arena, const struct saga *saga)
{
    Baro__Order__SagaTimeline *timeline = arena_alloc(arena, sizeof(*timeline));
    baro__order__saga_timeline__init(timeline);
    timeline->steps = arena_array(arena, saga->progress_count + 1, sizeof(*timeline->steps));
    for (size_t i = 0; i < saga->progress_count; i++)
        if (saga->progress[i].outcome != SAGA_SKIPPED)
            timeline->steps[timeline->n_steps++] = wire_step(arena, &saga->progress[i]);
    return timeline;
}

static int64_t order_id_of(const struct saga *saga)
{
    if (saga->definition->context == &baro__order__pay_context__descriptor)
        return ((const Baro__Order__PayContext *)saga->context)->order_id;
    return ((const Baro__Order__OrderContext *)saga->context)->order_id;
}

Baro__Order__SagaRecord *wire_saga_record(struct arena *arena, enum saga_record what,
                                          const struct saga *saga)
{
    Baro__Order__SagaRecord *record = arena_alloc(arena, sizeof(*record));
    baro__order__saga_record__init(record);
    record->saga_id = saga->id;
    record->kind = text(arena, saga->definition->kind);
    record->order_id = order_id_of(saga);
    record->context.data = protobuf_pack(saga->context, arena, &record->context.len);
    record->what = what;
    record->state = saga->state;
    if (failed(saga->failure)) {
        record->failure_code = saga->failure.code;
        record->failure_reason = text(arena, reason_word(saga->failure.reason));
        record->failure_message = text(arena, saga->failure.message);
    }
    record->held = saga->held;
    record->parked = saga->parked;
    record->timeline = wire_timeline(arena, saga);
    return record;
}

struct bytes wire_pack(struct arena *arena, const ProtobufCMessage *message)
{
    size_t size;
    const uint8_t *data = protobuf_pack(message, arena, &size);
    return (struct bytes){data, size};
}
