// What a saga needs to run, and to be answered for when it ends, is in its context.

#include "services/order/starts.h"

#include "lib/base/protobuf.h"
#include "lib/base/timeid.h"
#include "lib/bus/leases.h"
#include "lib/trace/span.h"
#include "services/order/pay_saga.h"
#include "services/order/wire.h"

#include <assert.h>

struct status saga_starts_init(struct saga_starts *starts, struct order_service *service,
                               struct db *db, struct arena *arena, int64_t now_us, size_t capacity)
{
    int64_t *ids = arena_array(arena, capacity + 1, sizeof(*ids));
    *starts = (struct saga_starts){
        .service = service,
        .db = db,
        .arena = arena,
        .now_us = now_us,
        .ids = ids,
        .rows = arena_array(arena, capacity + 1, sizeof(struct saga_row *)),
        .capacity = capacity,
    };
    struct status st = capacity ? ids_take(service->saga_ids, db, capacity, ids) : OK;
    int64_t partition = ids[0] % SAGA_PARTITIONS;
    for (size_t i = 0; i < capacity && !failed(st); i++)
        ids[i] = time_id(now_us, ids[i] * SAGA_PARTITIONS + partition);
    return st;
}

static struct launch *start(struct saga_starts *starts, struct order *order, const char *kind,
                            const ProtobufCMessage *context, struct call *call, int64_t wait_ms)
{
    assert(starts->count < starts->capacity);
    struct saga_row *row = arena_alloc(starts->arena, sizeof(*row));
    *row = (struct saga_row){
        .id = starts->ids[starts->count],
        .order_id = order->id,
        .order_version = order->version,
        .kind = kind,
        .state = SAGA_RUNNING,
        .created_at_us = starts->now_us,
        .context = wire_pack(starts->arena, context),
    };
    starts->rows[starts->count++] = row;
    order->saga_id = row->id;
    if (call)
        call_defer(call);
    struct launch *launch = arena_alloc(starts->arena, sizeof(*launch));
    *launch = (struct launch){.saga = row, .call = call, .wait_ms = wait_ms};
    return launch;
}

// The end of the saga stores its outcome under the key of the call that started it.
static void remember_key(struct saga_starts *starts, const struct call *call,
                         ProtobufCBinaryData *id, ProtobufCBinaryData *hash)
{
    uint8_t *key = arena_alloc(starts->arena, 2 * IDEMPOTENCY_ID_SIZE);
    if (!call || !call_idempotency_id(call, key))
        return;
    call_request_hash(call, key + IDEMPOTENCY_ID_SIZE);
    *id = (ProtobufCBinaryData){IDEMPOTENCY_ID_SIZE, key};
    *hash = (ProtobufCBinaryData){IDEMPOTENCY_ID_SIZE, key + IDEMPOTENCY_ID_SIZE};
}

// The trace of the call goes on in the saga, whoever runs it and whenever.
static char *trace_of(const struct call *call)
{
    return protobuf_text(call && tracing() ? call->traceparent : "");
}

static void begin_attempt(struct saga_starts *starts, struct order *order, int64_t payment_id)
{
    struct payment *payments =
        arena_array(starts->arena, order->payment_count + 1, sizeof(*payments));
    for (size_t i = 0; i < order->payment_count; i++)
        payments[i] = order->payments[i];
    struct payment *attempt = &payments[order->payment_count];
    *attempt = payment_begin(payment_id, order->id, order_final_won(order), starts->now_us);
    bool processing = payment_apply(attempt, starts->arena, PAYMENT_PROCESS, NULL, starts->now_us);
    assert(processing);
    order->payments = payments;
    order->payment_count++;
}

struct launch *start_payment(struct saga_starts *starts, struct order *order, int64_t payment_id,
                             bool checkout, struct call *call, int64_t wait_ms)
{
    Baro__Order__PayContext context;
    baro__order__pay_context__init(&context);
    context.order_id = order->id;
    context.user_id = order->user_id;
    context.payment_id = payment_id;
    context.total_amount = order->total_won;
    context.discount_amount = order->discount_won;
    context.final_amount = order_final_won(order);
    context.user_coupon_id = order->user_coupon_id;
    context.checkout = checkout;
    context.traceparent = trace_of(call);
    remember_key(starts, call, &context.idempotency_id, &context.request_hash);

    begin_attempt(starts, order, payment_id);
    bool paying = order_apply(order, starts->arena, ORDER_PAY, NULL, starts->now_us);
    assert(paying);
    return start(starts, order, pay_saga.kind, &context.base, call, wait_ms);
}

static Baro__Order__OrderContext order_context(const struct order *order)
{
    Baro__Order__OrderContext context;
    baro__order__order_context__init(&context);
    context.order_id = order->id;
    context.user_id = order->user_id;
    context.user_coupon_id = order->user_coupon_id;
    context.amount = order_final_won(order);
    return context;
}

struct launch *start_refund(struct saga_starts *starts, struct order *order, struct call *call,
                            int64_t wait_ms)
{
    assert(order->status == ORDER_REFUNDING);
    Baro__Order__OrderContext context = order_context(order);
    context.traceparent = trace_of(call);
    remember_key(starts, call, &context.idempotency_id, &context.request_hash);
    return start(starts, order, refund_saga.kind, &context.base, call, wait_ms);
}

struct launch *start_release(struct saga_starts *starts, struct order *order)
{
    assert(order_is_final(order->status));
    Baro__Order__OrderContext context = order_context(order);
    return start(starts, order, release_saga.kind, &context.base, NULL, 0);
}

struct status saga_starts_save(struct saga_starts *starts)
{
    struct sagas *sagas = starts->service->sagas;
    return store_insert_sagas(starts->db, starts->arena, starts->rows, starts->count,
                              sagas_owner(sagas), sagas_lease_ms(sagas));
}
