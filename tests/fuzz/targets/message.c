// Bytes as each of the messages that travel between processes (the first two say which): what is taken
// says the same again when it is packed, and what clients may see of it is JSON.

#include "gateway/routes.h"
#include "gateway/transcode.h"
#include "lib/base/macros.h"
#include "lib/base/protobuf.h"
#include "proto/common.pb-c.h"
#include "proto/order.pb-c.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

// Those that no method names: envelopes, events, and what the order service keeps of sagas.
static const ProtobufCMessageDescriptor *const OTHERS[] = {
    &baro__rpc_request__descriptor,          &baro__rpc_reply__descriptor,
    &baro__bus_message__descriptor,          &baro__order__order_changed__descriptor,
    &baro__order__order_context__descriptor, &baro__order__saga_record__descriptor,
    &baro__order__saga_timeline__descriptor,
};

static const ProtobufCMessageDescriptor *choose(struct input *input)
{
    const ProtobufCServiceDescriptor *service =
        service_descriptors[input_below(input, SERVICE_COUNT)];
    size_t which = input_below(input, 2 * service->n_methods + COUNT(OTHERS));
    if (which < COUNT(OTHERS))
        return OTHERS[which];
    const ProtobufCMethodDescriptor *method = &service->methods[(which - COUNT(OTHERS)) / 2];
    return (which - COUNT(OTHERS)) % 2 ? method->input : method->output;
}

static void check_json(const ProtobufCMessage *message, struct arena *arena)
{
    struct text_buffer json;
    if (failed(transcode_supports(message->descriptor)))
        return;
    text_buffer_init(&json, arena, 256);
    transcode_write(message, &json);
    assert(is_json(json.data, json.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    const ProtobufCMessageDescriptor *type = choose(&input);
    ProtobufCMessage *message =
        protobuf_unpack(type, (size_t)(input.end - input.at), input.at, arena);
    if (!message)
        return 0;
    size_t packed, again;
    const uint8_t *bytes = protobuf_pack(message, arena, &packed);
    ProtobufCMessage *copy = protobuf_unpack(type, packed, bytes, arena);
    assert(copy);
    const uint8_t *same = protobuf_pack(copy, arena, &again);
    assert(packed == again && memcmp(bytes, same, packed) == 0);
    check_json(message, arena);
    return 0;
}
