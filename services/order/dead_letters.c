// What admins see and do of events that an outside sink did not take.
//
// A replay only marks the row: whoever delivers to the sink (sinks.c) finds it, so no transaction is
// open while the sink is asked, and asking twice sends nothing twice.

#include "services/order/event_body.h"
#include "services/order/service.h"
#include "services/order/sinks.h"
#include "services/order/store.h"

#include "lib/base/protobuf.h"
#include "lib/service/page.h"
#include "lib/service/wire.h"

static const char LIST[] = "dead_letters";

static Baro__Order__DeadLetterView *view_of(struct arena *arena, const struct sink_event *row)
{
    Baro__Order__DeadLetterView *view = arena_alloc(arena, sizeof(*view));
    size_t size;
    baro__order__dead_letter_view__init(view);
    view->id = row->id;
    view->sink = protobuf_text(row->sink);
    view->state = (Baro__Order__DeadLetterState)row->state;
    view->event_id = row->event->id;
    view->kind = row->event->kind;
    view->order_id = row->event->key;
    view->payload = event_body(arena, row->event, &size);
    view->error = protobuf_text(row->error);
    view->attempts = (int32_t)row->tries;
    view->occurred_at = wire_time(arena, row->event->occurred_at_us);
    view->created_at = wire_time(arena, row->died_at_us);
    view->replayed_at = wire_time(arena, row->replayed_at_us);
    return view;
}

static struct status list(struct batch *batch, struct call *call)
{
    const Baro__Order__ListDeadLettersRequest *request =
        (const Baro__Order__ListDeadLettersRequest *)call->request;
    int64_t size, before_id = INT64_MAX;
    struct sink_event_set set;
    struct status st = page_size(request->page_size, &size);
    if (!failed(st) && request->page_token[0])
        st = page_token_parse(call->arena, request->page_token, LIST, &before_id, 1);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    st = store_list_dead_letters(batch->tx, batch->arena, request->sink, (int64_t)request->state,
                                 before_id, size + 1, &set);
    if (failed(st))
        return st;
    size_t shown = set.count > (size_t)size ? (size_t)size : set.count;
    Baro__Order__DeadLetterPage *reply = arena_alloc(batch->arena, sizeof(*reply));
    baro__order__dead_letter_page__init(reply);
    reply->items = arena_array(batch->arena, shown + 1, sizeof(*reply->items));
    while (reply->n_items < shown) {
        reply->items[reply->n_items] = view_of(batch->arena, &set.rows[reply->n_items]);
        reply->n_items++;
    }
    reply->n_items = shown = page_fit(reply->items, shown);
    if (set.count > shown)
        reply->next_page_token = page_token(batch->arena, LIST, &set.rows[shown - 1].id, 1);
    call_reply(call, &reply->base);
    return OK;
}

struct status handle_list_dead_letters(struct batch *batch)
{
    struct call *call;
    struct status st = OK;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        st = list(batch, call);
    return st;
}

static int64_t dead_letter_id_of(const struct call *call)
{
    return ((const Baro__Order__ReplayDeadLetterRequest *)call->request)->dead_letter_id;
}

static struct status replay(struct batch *batch, struct call *call)
{
    const struct order_service *service = batch->service;
    struct sink_event *row;
    struct status st =
        store_lock_dead_letter(batch->tx, batch->arena, dead_letter_id_of(call), &row);
    if (failed(st))
        return st;
    if (!row) {
        call_refuse(call, refuse(REASON_DEAD_LETTER_NOT_FOUND, "there is no such dead letter"));
        return OK;
    }
    if (sink_event_next(row->state, OUTCOME_REPLAY, &row->state)) {
        if (!sinks_is_configured(service->settings, row->sink)) {
            call_refuse(call, refuse(REASON_ILLEGAL_TRANSITION, "its sink is not configured"));
            return OK;
        }
        st = store_replay_dead_letter(batch->tx, row->id);
    }
    call_reply(call, &view_of(batch->arena, row)->base);
    return st;
}

struct status handle_replay_dead_letter(struct batch *batch)
{
    struct call *call;
    struct status st = OK;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        st = replay(batch, call);
    return st;
}
