// A message as it comes out of a socket: with a seal of ours around it, or as noise, which is never
// taken. What a reply says of an outcome is one of the outcomes that we know.

#include "lib/rpc/envelope.h"
#include "lib/base/macros.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const TYPES[] = {
    &baro__rpc_request__descriptor,
    &baro__rpc_reply__descriptor,
    &baro__bus_message__descriptor,
};

static void check_reply(const Baro__RpcReply *reply)
{
    struct status st = envelope_status(reply);
    assert(failed(st) == (reply->code != 0));
    assert(st.code <= STATUS_UNAUTHENTICATED && st.reason < REASON_COUNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct seal_key key = {
        {1, 2, 3}
    };
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    const ProtobufCMessageDescriptor *type = TYPES[input_below(&input, COUNT(TYPES))];
    bool sealed = input_byte(&input) % 8 != 0;
    nng_msg *message;
    int error = nng_msg_alloc(&message, 0);
    error = error ? error : nng_msg_append(message, input.at, (size_t)(input.end - input.at));
    error = error || !sealed ? error : seal(&key, message);
    assert(error == 0);

    ProtobufCMessage *envelope = envelope_open(&key, message, type, arena);
    assert(sealed || !envelope);
    if (envelope && type == &baro__rpc_reply__descriptor)
        check_reply((const Baro__RpcReply *)envelope);
    nng_msg_free(message);
    return 0;
}
