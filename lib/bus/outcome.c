// A reply is stored as bytes and unpacked again with the method's descriptor, so that everyone who
// answers a call sees the same kind of reply, whether it was computed now or before. Replies never
// travel from one call to another by pointer: each call's arena ends on its own.

#include "lib/bus/outcome.h"

#include "lib/base/protobuf.h"

void outcome_columns_init(struct outcome_columns *columns, struct arena *arena, size_t capacity)
{
    *columns = (struct outcome_columns){
        .arena = arena,
        .codes = arena_array(arena, capacity, sizeof(*columns->codes)),
        .reasons = arena_array(arena, capacity, sizeof(*columns->reasons)),
        .fields = arena_array(arena, capacity, sizeof(*columns->fields)),
        .messages = arena_array(arena, capacity, sizeof(*columns->messages)),
        .replies = arena_array(arena, capacity, sizeof(*columns->replies)),
    };
}

void outcome_add(struct outcome_columns *columns, struct status st, const ProtobufCMessage *reply)
{
    size_t i = columns->count++;
    columns->codes[i] = st.code;
    columns->reasons[i] = reason_word(st.reason);
    columns->fields[i] = st.field;
    columns->messages[i] = st.message;
    if (reply)
        columns->replies[i].data = protobuf_pack(reply, columns->arena, &columns->replies[i].size);
}

static void settle(struct call *call, struct status st, struct bytes reply)
{
    const ProtobufCMessage *message = NULL;
    if (!failed(st)) {
        message = protobuf_unpack(call_output(call), reply.size, reply.data, call->arena);
        if (!message)
            st = refuse(REASON_INTERNAL, "the stored reply cannot be read");
    }
    if (failed(st))
        call_refuse(call, st);
    else
        call_reply(call, message);
    call->replayed = true;
}

void outcome_replay(struct call *call, const struct rows *rows, size_t row, int column)
{
    struct status st = {
        .code = (enum status_code)rows_int64(rows, row, column),
        .reason = reason_parse(rows_text(rows, row, column + 1)),
        .field = rows_text(rows, row, column + 2),
        .message = rows_text(rows, row, column + 3),
    };
    settle(call, status_keep(st, call->arena), rows_bytes(rows, row, column + 4));
}

void outcome_share(struct call *call, const struct call *first)
{
    struct status st = status_keep(first->status, call->arena);
    struct bytes reply = {NULL, 0};
    if (first->reply)
        reply.data = protobuf_pack(first->reply, call->arena, &reply.size);
    settle(call, st, reply);
}

void outcome_succeed(struct call *call)
{
    settle(call, OK, (struct bytes){NULL, 0});
}

void outcome_wait_for_first(struct call *call)
{
    call_refuse(call, refuse(REASON_REQUEST_IN_PROGRESS, "the same request is still running"));
    call->replayed = true;
}

bool outcome_waits_for_first(const struct call *call)
{
    return call->replayed && call->status.reason == REASON_REQUEST_IN_PROGRESS;
}
