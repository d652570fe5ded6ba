// ListOrderEvents: what a reader of an order has not seen yet, out of its timeline and its sagas.
//
// The timeline is read before the sagas. So every step of a saga whose end is shown is shown, too,
// and no reader passes a change of status with steps behind it that it has not been told of.

#include "services/order/journal.h"
#include "services/order/owner.h"
#include "services/order/pay_saga.h"
#include "services/order/service.h"
#include "services/order/wire.h"

#include "lib/base/protobuf.h"

#include <string.h>

enum { EVENTS_MAX = 100 };

static const Baro__Order__ListOrderEventsRequest *request_of(const struct call *call)
{
    return (const Baro__Order__ListOrderEventsRequest *)call->request;
}

// Steps that have ended; the source of each is the pair that is told of it.
struct told_step {
    const struct saga_row *saga;
    const Baro__Order__SagaStepView *view;
};

static size_t steps_of(const struct saga_row *saga, struct arena *arena,
                       struct journal_step **steps)
{
    const struct saga_definition *definition = saga_definition_of(saga->kind);
    const Baro__Order__SagaTimeline *timeline = wire_saga_timeline(arena, saga);
    if (!definition || !timeline)
        return 0;
    size_t count = 0;
    *steps = arena_array(arena, timeline->n_steps + 1, sizeof(**steps));
    for (size_t i = 0; i < timeline->n_steps; i++) {
        const Baro__Order__SagaStepView *view = timeline->steps[i];
        int place = saga_place(definition, view->name, strcmp(view->op, "compensation") == 0);
        if (!view->finished_at || place == 0)
            continue;
        struct told_step *told = arena_alloc(arena, sizeof(*told));
        *told = (struct told_step){saga, view};
        (*steps)[count++] = (struct journal_step){
            .saga_began = saga->order_version,
            .step = place,
            .finished_at_us = view->finished_at->us,
            .source = told,
        };
    }
    return count;
}

static size_t all_steps(const struct saga_set *sagas, int64_t order_id, struct arena *arena,
                        struct journal_step **steps)
{
    size_t count = 0;
    *steps = arena_array(arena, sagas->count * 2 * SAGA_STEPS_MAX + 1, sizeof(**steps));
    for (size_t i = 0; i < sagas->count; i++) {
        struct journal_step *own;
        if (sagas->rows[i].order_id != order_id)
            continue;
        size_t own_count = steps_of(&sagas->rows[i], arena, &own);
        for (size_t j = 0; j < own_count; j++)
            (*steps)[count++] = own[j];
    }
    return count;
}

static struct status parse_after(struct call *call, struct journal_place *after)
{
    if (journal_place_parse(request_of(call)->after, after))
        return OK;
    return invalid("Last-Event-ID", "must be the id of an event of this order");
}

static const ProtobufCMessage *wire_journal(struct arena *arena, const struct order *order,
                                            const struct journal *journal)
{
    Baro__Order__OrderEvents *reply = arena_alloc(arena, sizeof(*reply));
    baro__order__order_events__init(reply);
    reply->more = journal->more;
    reply->ended = journal->ended;
    reply->events = arena_array(arena, journal->count + 1, sizeof(*reply->events));
    for (size_t i = 0; i < journal->count; i++) {
        const struct journal_entry *entry = &journal->entries[i];
        const struct told_step *told = entry->step ? entry->step->source : NULL;
        const char *id = journal_place_text(arena, entry->place);
        reply->events[reply->n_events++] =
            told ? wire_order_step(arena, id, told->saga, told->view)
                 : wire_order_status(arena, id, order->id, entry->change);
    }
    return &reply->base;
}

static void follow(struct batch *batch, struct call *call, const struct order *order,
                   const struct saga_set *sagas)
{
    struct journal_place after;
    struct journal_step *steps;
    if (!order) {
        call_refuse(call, refuse(REASON_ORDER_NOT_FOUND, "there is no such order"));
        return;
    }
    struct status st = owner_check(call->caller, order->user_id);
    if (!failed(st))
        st = parse_after(call, &after);
    if (failed(st)) {
        call_refuse(call, st);
        return;
    }
    size_t count = all_steps(sagas, order->id, batch->arena, &steps);
    struct journal journal = journal_after(after, order, steps, count, batch->arena, EVENTS_MAX);
    call_reply(call, wire_journal(batch->arena, order, &journal));
}

struct status handle_list_order_events(struct batch *batch)
{
    struct order_query orders;
    struct order_set set;
    struct saga_set sagas;
    struct rows saga_rows;
    struct call *call;
    size_t count = 0;
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[count++] = request_of(call)->order_id;
    struct status st = order_query_send(&orders, batch->tx, ids, count, ORDER_LOAD_TIMELINE);
    if (!failed(st))
        st = sagas_of_orders_send(&saga_rows, batch->tx, ids, count);
    if (!failed(st))
        st = db_flush(batch->tx);
    if (failed(st))
        return st;
    order_query_take(&orders, batch->arena, &set);
    saga_query_take(&saga_rows, batch->arena, &sagas);
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        follow(batch, call, order_set_find(&set, request_of(call)->order_id), &sagas);
    return OK;
}
