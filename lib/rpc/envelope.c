// Codes travel as gRPC's numbers, reasons as words, so that builds which know different reasons can
// talk to each other.

#include "lib/rpc/envelope.h"

#include "lib/base/protobuf.h"

void envelope_fill_status(Baro__RpcReply *reply, struct status st)
{
    baro__rpc_reply__init(reply);
    reply->code = (uint32_t)st.code;
    if (!failed(st))
        return;
    reply->reason = protobuf_text(reason_word(st.reason));
    reply->field = protobuf_text(st.field);
    reply->message = protobuf_text(st.message);
}

struct status envelope_status(const Baro__RpcReply *reply)
{
    if (reply->code == STATUS_OK)
        return OK;
    bool known = reply->code < STATUS_CODES;
    return (struct status){
        .code = known ? (enum status_code)reply->code : STATUS_UNKNOWN,
        .reason = reason_parse(reply->reason),
        .field = reply->field[0] ? reply->field : NULL,
        .message = reply->message[0] ? reply->message : NULL,
    };
}

ProtobufCMessage *envelope_open(const struct seal_key *key, nng_msg *message,
                                const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    if (!seal_open(key, message))
        return NULL;
    return protobuf_unpack(type, nng_msg_len(message), nng_msg_body(message), arena);
}
