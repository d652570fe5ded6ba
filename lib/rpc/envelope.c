// Codes travel as gRPC's numbers, reasons as words, so that builds which know different reasons can
// talk to each other.

#include "lib/rpc/envelope.h"

#include "lib/base/protobuf.h"

#include <assert.h>

enum { NNG_HEADER_MAX = 64 }; // request ids and hops count against the receive limit

char *envelope_text(const char *text)
{
    union {
        const char *text;
        char *lent;
    } same = {.text = text ? text : ""};
    return same.lent;
}

void envelope_fill_status(Baro__RpcReply *reply, struct status st)
{
    baro__rpc_reply__init(reply);
    reply->code = (uint32_t)st.code;
    if (!failed(st))
        return;
    reply->reason = envelope_text(reason_word(st.reason));
    reply->field = envelope_text(st.field);
    reply->message = envelope_text(st.message);
}

struct status envelope_status(const Baro__RpcReply *reply)
{
    if (reply->code == STATUS_OK)
        return OK;
    bool known = reply->code <= STATUS_UNAUTHENTICATED;
    return (struct status){
        .code = known ? (enum status_code)reply->code : STATUS_UNKNOWN,
        .reason = reason_parse(reply->reason),
        .field = reply->field[0] ? reply->field : NULL,
        .message = reply->message[0] ? reply->message : NULL,
    };
}

struct status envelope_seal(const struct seal_key *key, const ProtobufCMessage *envelope,
                            nng_msg **message)
{
    size_t size = protobuf_c_message_get_packed_size(envelope);
    if (size + SEAL_SIZE + NNG_HEADER_MAX > MESSAGE_MAX)
        return status_of_nng(NNG_EMSGSIZE);
    nng_msg *made;
    int error = nng_msg_alloc(&made, 0);
    if (error == 0)
        error = nng_msg_reserve(made, size + SEAL_SIZE);
    if (error == 0)
        error = nng_msg_realloc(made, size);
    if (error)
        return status_of_nng(error);
    size_t packed = protobuf_c_message_pack(envelope, nng_msg_body(made));
    assert(packed == size);
    error = seal(key, made);
    if (error) {
        nng_msg_free(made);
        return status_of_nng(error);
    }
    *message = made;
    return OK;
}

ProtobufCMessage *envelope_open(const struct seal_key *key, nng_msg *message,
                                const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    if (!seal_open(key, message))
        return NULL;
    return protobuf_unpack(type, nng_msg_len(message), nng_msg_body(message), arena);
}
