// What the saga runner makes durable.
//
// EndSaga ends many sagas in one transaction: order, attempt and their histories, saga row, events and
// the outcome under the idempotency key stand or fall together. Each saga's row is checked first: who
// is not its owner any more, or comes after another end, changes nothing. The same end twice (the
// answer of COMMIT was lost) is answered from what stands there.

#include "services/order/news.h"
#include "services/order/pay_saga.h"
#include "services/order/service.h"
#include "services/order/wire.h"

#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/bus/inbox.h"

#include <string.h>

// What whoever waits for an ended saga is told.
struct ended {
    struct status answer;
    Baro__Order__OrderView *view;
};

// Rows of the batch, locked: sagas first, then orders.
struct recording {
    struct batch *batch;
    struct saga_set sagas;
    struct order_set orders;
    struct saga_row **changed;
    size_t changed_count;
    struct bytes *ids, *hashes, *replies;
    struct status *answers;
    size_t answer_count;
};

static const Baro__Order__SagaRecord *record_of(const struct call *call)
{
    return (const Baro__Order__SagaRecord *)call->request;
}

static bool is_final(enum saga_state state)
{
    return state == SAGA_COMPLETED || state == SAGA_COMPENSATED;
}

static struct status load(struct recording *recording, struct batch *batch, unsigned parts)
{
    struct call *call;
    struct order_query orders;
    struct rows sagas;
    size_t count = 0;
    int64_t *saga_ids = arena_array(batch->arena, batch->count, sizeof(*saga_ids));
    int64_t *order_ids = arena_array(batch->arena, batch->count, sizeof(*order_ids));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++, count++) {
        saga_ids[count] = record_of(call)->saga_id;
        order_ids[count] = record_of(call)->order_id;
    }
    struct status st = saga_query_send(&sagas, batch->tx, saga_ids, count);
    if (!failed(st))
        st = order_query_send(&orders, batch->tx, order_ids, count, ORDER_LOAD_LOCKED | parts);
    if (!failed(st))
        st = db_flush(batch->tx);
    if (failed(st))
        return st;
    *recording = (struct recording){
        .batch = batch,
        .changed = arena_array(batch->arena, count + 1, sizeof(struct saga_row *)),
        .ids = arena_array(batch->arena, count + 1, sizeof(struct bytes)),
        .hashes = arena_array(batch->arena, count + 1, sizeof(struct bytes)),
        .replies = arena_array(batch->arena, count + 1, sizeof(struct bytes)),
        .answers = arena_array(batch->arena, count + 1, sizeof(struct status)),
    };
    saga_query_take(&sagas, batch->arena, &recording->sagas);
    order_query_take(&orders, batch->arena, &recording->orders);
    return OK;
}

// A saga that comes on while its order stays as it is, is news as well.
static struct news *make_news(const struct recording *recording)
{
    struct arena *arena = recording->batch->arena;
    struct order **orders = order_set_list(&recording->orders, arena);
    struct news *news = news_of(arena, orders, recording->orders.count, recording->changed_count);
    for (size_t i = 0; i < recording->changed_count; i++) {
        int64_t order_id = recording->changed[i]->order_id;
        const struct order *order = order_set_find(&recording->orders, order_id);
        if (!order || order->change_count == order->changes_saved)
            news_add_step(news, order_id);
    }
    return news;
}

static struct status save(struct recording *recording)
{
    struct db *db = recording->batch->tx;
    struct arena *arena = recording->batch->arena;
    recording->batch->handled = make_news(recording);
    struct status st = store_save_set(db, arena, &recording->orders);
    if (!failed(st))
        st = store_save_sagas(db, arena, recording->changed, recording->changed_count,
                              recording->batch->now_us);
    if (!failed(st) && recording->answer_count)
        st = inbox_store(db, recording->ids, recording->hashes, recording->answers,
                         recording->replies, recording->answer_count);
    return st;
}

// A decision that is recorded twice (the answer of COMMIT was lost) is the same one.
static bool is_another_decision(const struct saga_row *row, const Baro__Order__SagaRecord *record)
{
    return row->state == SAGA_COMPENSATING && record->what == SAGA_RECORD_COMPENSATING &&
           row->failure.reason != reason_parse(record->failure_reason);
}

// The row to write, or NULL when the saga is not ours any more. It may be ours again, and not as we know
// it: taken over, turned round or ended by another, and taken back from there.
static struct saga_row *own_row(const struct recording *recording,
                                const Baro__Order__SagaRecord *record)
{
    const struct order_service *service = recording->batch->service;
    struct saga_row *row = saga_set_find(&recording->sagas, record->saga_id);
    if (!row || strcmp(row->owner, sagas_owner(service->sagas)) != 0)
        return NULL;
    if (!saga_state_may_follow(row->state, (enum saga_state)record->state))
        return NULL;
    return is_another_decision(row, record) ? NULL : row;
}

static struct status failure_of(const Baro__Order__SagaRecord *record)
{
    if (record->failure_code == STATUS_OK)
        return OK;
    return (struct status){
        .code = (enum status_code)record->failure_code,
        .reason = reason_parse(record->failure_reason),
        .message = record->failure_message[0] ? record->failure_message : NULL,
    };
}

static void fill_row(struct recording *recording, struct saga_row *row,
                     const Baro__Order__SagaRecord *record)
{
    struct arena *arena = recording->batch->arena;
    const Baro__Order__SagaTimeline *timeline = record->timeline;
    row->state = (enum saga_state)record->state;
    row->failure = failure_of(record);
    row->held = record->held;
    row->parked = record->parked;
    if (timeline && timeline->n_steps) {
        row->step = timeline->steps[timeline->n_steps - 1]->name;
        row->attempts = timeline->steps[timeline->n_steps - 1]->attempts;
        timeline = wire_merge(arena, wire_saga_timeline(arena, row), timeline);
        row->timeline = wire_pack(arena, &timeline->base);
    }
    recording->changed[recording->changed_count++] = row;
}

// A saga that was silent for too long shows in its order, whichever record comes first.
static void show_held(const struct recording *recording, struct order *order,
                      const Baro__Order__SagaRecord *record)
{
    if (order && record->held && order->status == ORDER_PAYING)
        order_apply(order, recording->batch->arena, ORDER_GO_SILENT,
                    reason_word(REASON_OUTCOME_UNKNOWN), recording->batch->now_us);
}

struct status handle_record_saga(struct batch *batch)
{
    struct recording recording;
    struct call *call;
    struct status st = load(&recording, batch, ORDER_LOAD_ROW);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const Baro__Order__SagaRecord *record = record_of(call);
        struct saga_row *row = own_row(&recording, record);
        if (!row) {
            call_refuse(call, refuse(REASON_SAGA_NOT_FOUND, "the saga is not ours"));
            continue;
        }
        fill_row(&recording, row, record);
        show_held(&recording, order_set_find(&recording.orders, record->order_id), record);
        call_reply(call, wire_empty());
    }
    return save(&recording);
}

static struct payment *find_attempt(struct order *order, int64_t id)
{
    for (size_t i = 0; i < order->payment_count; i++)
        if (order->payments[i].id == id)
            return &order->payments[i];
    return NULL;
}

static void take_money(struct order *order, struct payment *attempt, bool paid,
                       const Baro__Order__PayContext *pay)
{
    order->user_coupon_id = paid ? pay->user_coupon_id : 0;
    order->discount_won = paid ? pay->discount_amount : 0;
    if (attempt && paid)
        attempt->amount_won = order_final_won(order);
}

// Kept under the key of the request that started the saga.
static void keep_answer(struct recording *recording, const ProtobufCBinaryData *id,
                        const ProtobufCBinaryData *hash, const struct ended *ended)
{
    size_t at = recording->answer_count;
    if (id->len == 0)
        return;
    recording->ids[at] = (struct bytes){id->data, id->len};
    recording->hashes[at] = (struct bytes){hash->data, hash->len};
    recording->answers[at] = ended->answer;
    recording->replies[at] = (struct bytes){NULL, 0};
    if (!failed(ended->answer))
        recording->replies[at] = wire_pack(recording->batch->arena, &ended->view->base);
    recording->answer_count++;
}

// One saga's end: `again` when its row says so already.
struct ending {
    struct recording *recording;
    const Baro__Order__SagaRecord *record;
    struct order *order;
    bool again;
    struct ended *ended;
};

static bool apply_payment(const struct ending *ending, const struct pay_end *end,
                          const Baro__Order__PayContext *pay)
{
    struct order *order = ending->order;
    const struct batch *batch = ending->recording->batch;
    struct payment *attempt = find_attempt(order, pay->payment_id);
    if (end->step_count == 0 || !attempt)
        return false;
    take_money(order, attempt, end->payment == PAYMENT_COMPLETE, pay);
    for (size_t i = 0; i < end->step_count; i++)
        order_apply(order, batch->arena, end->steps[i].event, end->steps[i].reason, batch->now_us);
    return payment_apply(attempt, batch->arena, end->payment, end->payment_reason, batch->now_us);
}

static bool end_payment(const struct ending *ending, const ProtobufCMessage *context)
{
    const Baro__Order__PayContext *pay = (const Baro__Order__PayContext *)context;
    struct arena *arena = ending->recording->batch->arena;
    struct pay_end end =
        pay_saga_end(ending->order->status, pay->checkout, failure_of(ending->record));
    if (!ending->again && !apply_payment(ending, &end, pay))
        return false;
    if (failed(end.answer) && pay->checkout)
        end.answer.message = text_printf(arena, "order %lld: %s", (long long)pay->order_id,
                                         end.answer.message ? end.answer.message : "refused");
    *ending->ended = (struct ended){end.answer, wire_order(arena, ending->order)};
    keep_answer(ending->recording, &pay->idempotency_id, &pay->request_hash, ending->ended);
    return true;
}

static bool apply_refund(const struct ending *ending)
{
    struct order *order = ending->order;
    const struct batch *batch = ending->recording->batch;
    if (!order_apply(order, batch->arena, ORDER_REFUND, NULL, batch->now_us))
        return false;
    for (size_t i = 0; i < order->payment_count; i++)
        payment_apply(&order->payments[i], batch->arena, PAYMENT_REFUND, NULL, batch->now_us);
    return true;
}

static bool end_refund(const struct ending *ending, const ProtobufCMessage *context)
{
    const Baro__Order__OrderContext *refund = (const Baro__Order__OrderContext *)context;
    if (!ending->again && !apply_refund(ending))
        return false;
    *ending->ended = (struct ended){OK, wire_order(ending->recording->batch->arena, ending->order)};
    keep_answer(ending->recording, &refund->idempotency_id, &refund->request_hash, ending->ended);
    return true;
}

// The order had its final state before the release began.
static bool end_release(const struct ending *ending, const ProtobufCMessage *context)
{
    (void)ending;
    (void)context;
    return true;
}

static const struct {
    const struct saga_definition *definition;
    bool (*end)(const struct ending *ending, const ProtobufCMessage *context);
} ENDS[] = {
    {&pay_saga,     end_payment},
    {&refund_saga,  end_refund },
    {&release_saga, end_release},
};

static bool end_order(const struct ending *ending)
{
    const ProtobufCBinaryData *packed = &ending->record->context;
    struct arena *arena = ending->recording->batch->arena;
    for (size_t i = 0; i < COUNT(ENDS); i++) {
        if (strcmp(ENDS[i].definition->kind, ending->record->kind) != 0)
            continue;
        const ProtobufCMessage *context =
            protobuf_unpack(ENDS[i].definition->context, packed->len, packed->data, arena);
        return context && ending->order && ENDS[i].end(ending, context);
    }
    return false;
}

static void end_one(struct recording *recording, struct call *call)
{
    static struct log_throttle noise;
    const Baro__Order__SagaRecord *record = record_of(call);
    struct saga_row *row = own_row(recording, record);
    if (!row) {
        call_refuse(call, refuse(REASON_SAGA_NOT_FOUND, "the saga is not ours"));
        return;
    }
    struct ending ending = {
        .recording = recording,
        .record = record,
        .order = order_set_find(&recording->orders, record->order_id),
        .again = is_final(row->state),
        .ended = arena_alloc(recording->batch->arena, sizeof(struct ended)),
    };
    show_held(recording, ending.order, record);
    if (!end_order(&ending)) {
        if (log_once_per(&noise, LOG_PERIOD_MS))
            log_error("saga ends for an order in another state",
                      log_int("saga_id", record->saga_id), log_int("order_id", record->order_id));
        call_refuse(call, refuse(REASON_ILLEGAL_TRANSITION, "the order is in another state"));
        return;
    }
    if (!ending.again)
        fill_row(recording, row, record);
    call->own = ending.ended;
    call_reply(call, wire_empty());
}

struct status handle_end_saga(struct batch *batch)
{
    struct recording recording;
    struct call *call;
    struct status st = load(&recording, batch, ORDER_LOAD_PARTS);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        end_one(&recording, call);
    return save(&recording);
}

static void count_end(const struct counters *counters, const Baro__Order__SagaRecord *record)
{
    if (strcmp(record->kind, pay_saga.kind) == 0)
        count_payment(counters, record->held, failure_of(record));
    else if (strcmp(record->kind, refund_saga.kind) == 0)
        metric_add(counters->refunded, 1);
}

// Whoever waits for the sagas of the batch is answered together.
void end_saga_committed(struct batch *batch)
{
    struct order_service *service = batch->service;
    struct call **waiting = arena_array(batch->arena, batch->count, sizeof(struct call *));
    size_t waiting_count = 0;
    news_committed(batch);
    for (size_t i = 0; i < batch->count; i++) {
        const struct call *call = batch->calls[i];
        const struct ended *ended = call->own;
        if (!call->settled || failed(call->status))
            continue;
        count_end(&service->counters, record_of(call));
        if (!ended->view)
            continue;
        waiting[waiting_count] = sagas_settle(service->sagas, record_of(call)->saga_id,
                                              ended->answer, &ended->view->base);
        waiting_count += waiting[waiting_count] != NULL;
    }
    calls_finish(waiting, waiting_count);
}
