// An event of the outbox, kind in a line, then its payload: what sinks get of it is JSON, and what counts
// sales reads no more than is there.

#include "lib/base/protobuf.h"
#include "services/order/event_body.h"
#include "services/product/wire.h"
#include "tests/fuzz/fuzz.h"

static void count_sales(const Baro__Event *event, struct arena *arena)
{
    const Baro__Order__OrderChanged *order = (const Baro__Order__OrderChanged *)protobuf_unpack(
        &baro__order__order_changed__descriptor, event->payload.len, event->payload.data, arena);
    if (!order || !order->paid_at)
        return;
    struct sale *sales = arena_array(arena, order->n_items + 1, sizeof(*sales));
    size_t count = wire_sales(order, sales);
    assert(count <= order->n_items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    Baro__Event event;
    baro__event__init(&event);
    event.id = input_number(&input);
    event.occurred_at_us = input_number(&input);
    event.kind = input_line(&input, arena, NULL);
    event.payload.len = (size_t)(input.end - input.at);
    event.payload.data = arena_copy(arena, input.at, event.payload.len);
    char *body = event_body(arena, &event, &size);
    assert(is_json(body, size));
    count_sales(&event, arena);
    return 0;
}
