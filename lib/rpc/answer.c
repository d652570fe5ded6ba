// How calls end: the reply goes to the responder, the key and the room in the queue become free, the
// call goes back to the pool, and whoever drains is told when it was the last one.

#include "lib/rpc/call_trace.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"

#include <assert.h>

// Counters per method and code come into being with the first such answer.
static struct metric *counter(struct method_entry *entry, enum status_code code)
{
    struct metric *metric = atomic_load_explicit(&entry->answered[code], memory_order_acquire);
    if (metric)
        return metric;
    struct arena *scratch = arena_create();
    metric = metrics_counter(
        "baro_rpc_calls_total", "Calls answered, by method and code.",
        text_printf(scratch, "method=\"%s\",code=\"%s\"", entry->name, status_code_name(code)));
    arena_destroy(scratch);
    atomic_store_explicit(&entry->answered[code], metric, memory_order_release);
    return metric;
}

static void observe(const struct call *call)
{
    struct method_entry *entry = call->private->entry;
    call_trace_end(call);
    if (!entry)
        return;
    metric_add(counter(entry, call->status.code), 1);
    metric_observe(entry->handling_seconds, clock_monotonic_us() - call->private->submitted_at_us);
}

static void keys_release(struct call *call)
{
    struct call_private *own = call->private;
    struct dispatcher *dispatcher = own->dispatcher;
    if (!own->in_flight)
        return;
    pthread_mutex_lock(&dispatcher->keys_lock);
    HASH_DEL(dispatcher->keys, own);
    pthread_mutex_unlock(&dispatcher->keys_lock);
    own->in_flight = false;
}

// Under the lock, so that whoever drains may destroy the dispatcher as soon as it sees zero.
static void count_down(struct dispatcher *dispatcher, size_t count)
{
    pthread_mutex_lock(&dispatcher->open_lock);
    if (atomic_fetch_sub(&dispatcher->open, count) == count)
        pthread_cond_broadcast(&dispatcher->all_answered);
    pthread_mutex_unlock(&dispatcher->open_lock);
}

static void flush(struct answered *answered)
{
    for (size_t i = 0; i < answered->count; i++)
        answered->responders[i]->flush(answered->responders[i]);
    answered->count = 0;
}

static void remember(struct answered *answered, struct responder *responder)
{
    for (size_t i = 0; i < answered->count; i++)
        if (answered->responders[i] == responder)
            return;
    if (answered->count == COUNT(answered->responders))
        flush(answered);
    answered->responders[answered->count++] = responder;
}

void answer(struct call *call, struct answered *answered)
{
    struct call_private *own = call->private;
    struct dispatcher *dispatcher = own->dispatcher;
    entry_leave(call);
    keys_release(call);
    observe(call);
    if (own->responder) {
        Baro__RpcReply reply;
        call_fill_reply(call, &reply);
        own->responder->respond(own->responder, call, &reply);
        remember(answered, own->responder);
    } else {
        own->done(own->done_arg, call);
    }
    call_release(&dispatcher->pool, call);
    answered->dispatcher = dispatcher;
    answered->calls++;
}

void answered_flush(struct answered *answered)
{
    flush(answered);
    if (answered->calls > 0)
        count_down(answered->dispatcher, answered->calls);
    answered->calls = 0;
}

void answer_now(struct call *call)
{
    struct answered answered = {.count = 0};
    answer(call, &answered);
    answered_flush(&answered);
}

void entry_leave(struct call *call)
{
    if (!call->private->admitted)
        return;
    call->private->admitted = false;
    atomic_fetch_sub(&call->private->entry->admitted, 1);
}

const uint8_t *call_id_of(struct call *call)
{
    struct call_private *own = call->private;
    if (!own->has_id)
        own->has_id = call_idempotency_id(call, own->id);
    return own->has_id ? own->id : NULL;
}

bool keys_claim(struct call *call)
{
    struct call_private *own = call->private;
    struct dispatcher *dispatcher = own->dispatcher;
    if (own->in_flight || !call_id_of(call))
        return true;
    struct call_private *holder;
    pthread_mutex_lock(&dispatcher->keys_lock);
    HASH_FIND(hh, dispatcher->keys, own->id, IDEMPOTENCY_ID_SIZE, holder);
    if (!holder) {
        HASH_ADD(hh, dispatcher->keys, id, IDEMPOTENCY_ID_SIZE, own);
        own->in_flight = true;
    }
    pthread_mutex_unlock(&dispatcher->keys_lock);
    return holder == NULL;
}

bool keys_held_by_other(struct call *call)
{
    struct call_private *own = call->private;
    struct dispatcher *dispatcher = own->dispatcher;
    if (own->in_flight || !call_id_of(call))
        return false;
    struct call_private *holder;
    pthread_mutex_lock(&dispatcher->keys_lock);
    HASH_FIND(hh, dispatcher->keys, own->id, IDEMPOTENCY_ID_SIZE, holder);
    pthread_mutex_unlock(&dispatcher->keys_lock);
    return holder != NULL;
}
