// A call and its private part are one allocation, kept with its arena in a pool: at 100,000 calls a
// second the allocator would otherwise be a good part of the work.

#include "lib/rpc/call.h"

#include "lib/base/memory.h"
#include "lib/base/protobuf.h"
#include "lib/rpc/envelope.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_MAX = 8192 };

struct slot {
    struct call call;
    struct call_private private;
};

void call_pool_init(struct call_pool *pool)
{
    *pool = (struct call_pool){0};
    pthread_mutex_init(&pool->lock, NULL);
}

void call_pool_fini(struct call_pool *pool)
{
    struct call *next;
    for (struct call *call = pool->free; call; call = next) {
        next = call->private->next;
        arena_destroy(call->arena);
        free(call);
    }
    pthread_mutex_destroy(&pool->lock);
}

static struct call *pop(struct call_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct call *call = pool->free;
    if (call) {
        pool->free = call->private->next;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return call;
}

struct call *call_acquire(struct call_pool *pool)
{
    struct call *used = pop(pool);
    struct arena *arena = used ? used->arena : arena_create();
    struct slot *slot = used ? (struct slot *)used : memory_alloc(sizeof(*slot));
    *slot = (struct slot){.call.arena = arena, .call.private = &slot->private};
    return &slot->call;
}

void call_release(struct call_pool *pool, struct call *call)
{
    arena_reset(call->arena);
    pthread_mutex_lock(&pool->lock);
    bool keep = pool->count < POOL_MAX;
    if (keep) {
        call->private->next = pool->free;
        pool->free = call;
        pool->count++;
    }
    pthread_mutex_unlock(&pool->lock);
    if (keep)
        return;
    arena_destroy(call->arena);
    free(call);
}

void call_reset_outcome(struct call *call)
{
    call->status = OK;
    call->reply = NULL;
    call->settled = false;
    call->deferred = false;
    call->replayed = false;
    if (call->private->recording)
        call_refuse(call, call->private->refusal);
}

struct call *batch_next(const struct batch *batch, size_t *index)
{
    for (; *index < batch->count; (*index)++) {
        struct call *call = batch->calls[*index];
        if (!call->settled && !call->deferred)
            return call;
    }
    return NULL;
}

void call_reply(struct call *call, const ProtobufCMessage *reply)
{
    call->status = OK;
    call->reply = reply;
    call->settled = true;
    call->deferred = false;
}

void call_refuse(struct call *call, struct status st)
{
    assert(failed(st));
    call->status = st;
    call->reply = NULL;
    call->settled = true;
    call->deferred = false;
}

void call_defer(struct call *call)
{
    call->settled = false;
    call->deferred = true;
}

void *call_token(const struct call *call)
{
    return call->private->token;
}

static void hash_text(crypto_generichash_state *state, const char *text)
{
    crypto_generichash_update(state, (const uint8_t *)text, strlen(text) + 1);
}

bool call_idempotency_id(const struct call *call, uint8_t id[IDEMPOTENCY_ID_SIZE])
{
    if (call->idempotency_key[0] == '\0')
        return false;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, IDEMPOTENCY_ID_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)&call->caller.user_id,
                              sizeof(call->caller.user_id));
    hash_text(&state, call->request->descriptor->name);
    hash_text(&state, call->method->name);
    hash_text(&state, call->idempotency_key);
    crypto_generichash_final(&state, id, IDEMPOTENCY_ID_SIZE);
    return true;
}

// How long a caller would wait (int32 wait_ms) is no part of what it asks for: whoever comes back with
// more patience means the same request. Nor is what this version does not know: while another one is
// rolled out, a request may come through a gateway of either.
static const ProtobufCMessage *what_is_asked(const ProtobufCMessage *request, struct arena *arena)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(request->descriptor, "wait_ms");
    ProtobufCMessage *copy = arena_copy(arena, request, request->descriptor->sizeof_message);
    if (field && field->type == PROTOBUF_C_TYPE_INT32 && field->label == PROTOBUF_C_LABEL_NONE)
        memset((char *)copy + field->offset, 0, sizeof(int32_t));
    copy->n_unknown_fields = 0;
    return copy;
}

// The request is packed again, so that the bytes do not depend on how the sender packed them.
void call_request_hash(const struct call *call, uint8_t hash[IDEMPOTENCY_ID_SIZE])
{
    size_t size;
    const ProtobufCMessage *request = what_is_asked(call->request, call->arena);
    uint8_t *bytes = protobuf_pack(request, call->arena, &size);
    crypto_generichash(hash, IDEMPOTENCY_ID_SIZE, bytes, size, NULL, 0);
}

void call_fill_reply(const struct call *call, Baro__RpcReply *reply)
{
    envelope_fill_status(reply, call->status);
    reply->call_id = call->private->call_id;
    if (call->saga)
        reply->saga = &call->private->saga;
    if (call->reply && !failed(call->status))
        reply->payload.data = protobuf_pack(call->reply, call->arena, &reply->payload.len);
}
