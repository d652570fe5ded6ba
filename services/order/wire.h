#pragma once
// Domain -> protobuf. Everything is made in the arena; texts are borrowed from the domain.

#include "lib/saga/runner.h"
#include "lib/service/wire.h"
#include "proto/order.pb-c.h"
#include "services/order/order.h"
#include "services/order/payment.h"
#include "services/order/store.h"

Baro__Order__OrderView *wire_order(struct arena *arena, const struct order *order);
Baro__Order__PaymentView *wire_payment(struct arena *arena, const struct payment *payment);

// The event of one entry in an order's timeline: "order.paid" with an OrderChanged.
const Baro__Event *wire_event(struct arena *arena, const struct order *order,
                              const struct order_change *change);

// What a saga's row shows; the timeline is unpacked.
Baro__Order__SagaView *wire_saga(struct arena *arena, const struct saga_row *row);

// The stored steps of a saga; NULL before its first record.
const Baro__Order__SagaTimeline *wire_saga_timeline(struct arena *arena,
                                                    const struct saga_row *row);

// What a record says, and what an earlier owner of the saga had recorded and this one has not seen.
const Baro__Order__SagaTimeline *wire_merge(struct arena *arena,
                                            const Baro__Order__SagaTimeline *stored,
                                            const Baro__Order__SagaTimeline *recorded);

// The events of those who follow an order.
Baro__Order__OrderEvent *wire_order_status(struct arena *arena, const char *id, int64_t order_id,
                                           const struct order_change *change);
Baro__Order__OrderEvent *wire_order_step(struct arena *arena, const char *id,
                                         const struct saga_row *saga,
                                         const Baro__Order__SagaStepView *step);

// "order.paid".
char *wire_event_kind(struct arena *arena, enum order_status status);

// The steps of a saga in memory.
Baro__Order__SagaTimeline *wire_timeline(struct arena *arena, const struct saga *saga);

// What the runner wants to be durable.
Baro__Order__SagaRecord *wire_saga_record(struct arena *arena, enum saga_record what,
                                          const struct saga *saga);

// Packed contexts of new sagas.
struct bytes wire_pack(struct arena *arena, const ProtobufCMessage *message);
