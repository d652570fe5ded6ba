// A call is a series of tries, most often of one. What the end of a try means stands in one place,
// may_try_again(): nothing happened -> always; outcome not known -> only idempotent calls; anything
// else is the answer. All within the deadline, the number of tries and the retry budget.

#include "lib/rpc/client_private.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/random.h"
#include "lib/base/text.h"
#include "lib/base/thread.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/nng.h"

#include <sodium.h>
#include <stdlib.h>
#include <utlist.h>

enum {
    MAX_IN_FLIGHT_DEFAULT = 4096,
    POOL_MAX = 1024,
    TRIES_MAX = 5,
    BACKOFF_FIRST_MS = 10,
    BACKOFF_MAX_MS = 1000,
    PATIENCE_MS = 2000, // for a replica to appear
    GROUP_MAX = 256,    // calls in a row that go to one replica
    GROUP_MS = 200,     // or as many as come in this time
};

// Counters per code come into being with the first such outcome.
static void count_outcome(struct rpc_client *client, enum status_code code)
{
    struct metric *metric = atomic_load_explicit(&client->done[code], memory_order_acquire);
    if (!metric) {
        SCOPED(arena) *scratch = arena_create();
        metric =
            metrics_counter("baro_rpc_client_calls_total", "Calls made, by service and outcome.",
                            text_printf(scratch, "service=\"%s\",code=\"%s\"", client->service,
                                        status_code_name(code)));
        atomic_store_explicit(&client->done[code], metric, memory_order_release);
    }
    metric_add(metric, 1);
}

int64_t client_remaining_ms(const struct client_call *call)
{
    int64_t left_us = call->deadline_us - clock_monotonic_us();
    return left_us <= 0 ? 1 : (left_us + US_PER_MS - 1) / US_PER_MS;
}

// Takes a call from the pool, or says why there is none.
static struct status take_call(struct rpc_client *client, struct client_call **taken)
{
    struct client_call *call = NULL;
    struct status st = OK;
    pthread_mutex_lock(&client->lock);
    if (client->closing)
        st = refuse(REASON_UNAVAILABLE, "shutting down");
    else if (client->in_flight >= client->max_in_flight)
        st = refuse(REASON_OVERLOADED, "too many calls are in flight");
    if (!failed(st)) {
        client->in_flight++;
        retry_budget_earn(&client->budget);
        if ((call = client->pool)) {
            client->pool = call->next;
            client->pooled--;
        }
    }
    pthread_mutex_unlock(&client->lock);
    if (failed(st))
        return st;
    struct arena *arena = call ? call->arena : arena_create();
    if (!call)
        call = memory_alloc(sizeof(*call));
    *call = (struct client_call){.client = client, .arena = arena};
    *taken = call;
    return OK;
}

static void give_call_back(struct client_call *call)
{
    struct rpc_client *client = call->client;
    arena_reset(call->arena);
    pthread_mutex_lock(&client->lock);
    client->in_flight--;
    bool keep = client->pooled < POOL_MAX;
    if (keep) {
        LL_PREPEND(client->pool, call);
        client->pooled++;
    }
    pthread_mutex_unlock(&client->lock);
    if (keep)
        return;
    arena_destroy(call->arena);
    free(call);
}

void client_finish(struct client_call *call, struct status st, const Baro__RpcReply *reply)
{
    count_outcome(call->client, st.code);
    call->done(call->arg, st, reply);
    give_call_back(call);
}

void client_finish_all(struct client_call *ended)
{
    struct client_call *call, *next;
    DL_FOREACH_SAFE (ended, call, next)
        client_finish(call, call->outcome, call->reply);
}

static size_t count_usable(const struct rpc_client *client, const struct replica *avoid)
{
    size_t count = 0;
    for (const struct replica *at = client->replicas; at; at = at->next)
        count += at != avoid && replica_is_usable(at);
    return count;
}

static struct replica *nth_usable(const struct rpc_client *client, const struct replica *avoid,
                                  size_t n)
{
    for (struct replica *at = client->replicas; at; at = at->next)
        if (at != avoid && replica_is_usable(at) && n-- == 0)
            return at;
    return NULL;
}

// The replica that got the call before, while its group lasts.
static struct replica *choose_again(struct rpc_client *client)
{
    struct group *group = &client->group;
    struct replica *at = client->replicas;
    while (at && at != group->replica)
        at = at->next;
    bool lasts = group->count < GROUP_MAX && clock_monotonic_us() < group->until_us;
    if (!at || !lasts || !replica_is_usable(at))
        return NULL;
    group->count++;
    return at;
}

// The one with fewer calls in flight of two; not the one that just failed, if there is another.
static struct replica *choose_of_two(struct rpc_client *client, const struct replica *avoid)
{
    size_t count = count_usable(client, avoid);
    if (count == 0 && avoid) {
        avoid = NULL;
        count = count_usable(client, NULL);
    }
    if (count == 0)
        return NULL;
    size_t first = random_next(&client->random) % count;
    struct replica *a = nth_usable(client, avoid, first);
    if (count == 1)
        return a;
    size_t second = (first + 1 + random_next(&client->random) % (count - 1)) % count;
    struct replica *b = nth_usable(client, avoid, second);
    return HASH_COUNT(b->calls) < HASH_COUNT(a->calls) ? b : a;
}

// (lock) Calls in a row go to one replica, so that they share messages and batches there as they would if
// it were the only one: else each replica more makes all of them smaller.
static struct replica *choose(struct rpc_client *client, const struct replica *avoid)
{
    struct replica *replica = avoid ? NULL : choose_again(client);
    if (replica)
        return replica;
    replica = choose_of_two(client, avoid);
    if (!avoid)
        client->group = (struct group){replica, 1, clock_monotonic_us() + GROUP_MS * US_PER_MS};
    return replica;
}

// (lock)
static void let_wait(struct client_call *call, int64_t due_us)
{
    int64_t patience_us = due_us + PATIENCE_MS * US_PER_MS;
    call->due_us = due_us;
    call->patience_us = patience_us < call->deadline_us ? patience_us : call->deadline_us;
    DL_APPEND(call->client->waiting, call);
    pthread_cond_signal(&call->client->wake);
}

struct status client_pack(struct client_call *call)
{
    call->envelope.attempt++;
    call->envelope.timeout_ms = (uint32_t)client_remaining_ms(call);
    call->packed = parcel_pack(&call->envelope.base, call->arena);
    return parcel_fits(call->packed) ? OK : status_of_nng(NNG_EMSGSIZE);
}

// The best replica's next exchange, if the call may leave at once; *st says why the call ends.
static struct exchange *take_exchange(struct client_call *call, struct status *st)
{
    struct rpc_client *client = call->client;
    struct exchange *exchange = NULL;
    pthread_mutex_lock(&client->lock);
    struct replica *replica = client->closing ? NULL : choose(client, call->last);
    if (client->closing) {
        *st = refuse(REASON_UNAVAILABLE, "shutting down");
    } else if (!replica) {
        call->envelope.attempt--;
        let_wait(call, clock_monotonic_us());
    } else {
        exchange_add(replica, call);
        exchange = client->corks > 0 ? NULL : exchange_next(replica);
    }
    pthread_mutex_unlock(&client->lock);
    return exchange;
}

void client_launch(struct client_call *call)
{
    struct status st = client_pack(call);
    struct exchange *exchange = failed(st) ? NULL : take_exchange(call, &st);
    if (failed(st))
        client_finish(call, st, NULL);
    else
        exchange_start(exchange);
}

static bool may_try_again(const struct client_call *call, enum try_end end, struct status st)
{
    switch (end) {
    case TRY_NOT_SENT:
        return true;
    case TRY_LOST:
        return call->idempotent;
    case TRY_TIMED_OUT: // the deadline has passed
    case TRY_GIVEN_UP:
        return false;
    case TRY_ANSWERED:
        break;
    }
    if (st.code != STATUS_UNAVAILABLE)
        return false;
    return st.reason != REASON_OUTCOME_UNKNOWN || call->idempotent;
}

// (lock) True when the call waits for its next try now.
static bool try_again(struct client_call *call, enum try_end end, struct status st,
                      uint32_t pushback_ms)
{
    struct rpc_client *client = call->client;
    uint32_t tries = call->envelope.attempt;
    if (client->closing || call->directed || tries >= TRIES_MAX || !may_try_again(call, end, st))
        return false;
    int64_t pause_ms =
        backoff(BACKOFF_FIRST_MS, BACKOFF_MAX_MS, tries, random_next(&client->random));
    if (pause_ms < pushback_ms)
        pause_ms = pushback_ms;
    int64_t due_us = clock_monotonic_us() + pause_ms * US_PER_MS;
    if (due_us >= call->deadline_us || !retry_budget_spend(&client->budget))
        return false;
    metric_add(client->retries, 1);
    let_wait(call, due_us);
    return true;
}

// The outcome of a try without an answer.
static struct status status_of_end(enum try_end end)
{
    switch (end) {
    case TRY_NOT_SENT:
        return refuse(REASON_UNAVAILABLE, "the request could not be sent");
    case TRY_TIMED_OUT:
        return refuse(REASON_DEADLINE_EXCEEDED, "no answer in time");
    case TRY_GIVEN_UP:
        return refuse(REASON_UNAVAILABLE, "shutting down");
    case TRY_LOST:
    case TRY_ANSWERED:
        break;
    }
    return (struct status){STATUS_UNAVAILABLE, REASON_OUTCOME_UNKNOWN, NULL,
                           "the connection was lost before the answer"};
}

bool client_judge(struct client_call *call, enum try_end end, const Baro__RpcReply *reply)
{
    struct status st = reply ? envelope_status(reply) : status_of_end(end);
    if (try_again(call, end, st, reply ? reply->pushback_ms : 0))
        return true;
    call->outcome = st;
    call->reply = reply;
    return false;
}

static void copy_saga(struct client_call *call, const Baro__SagaStep *saga)
{
    if (!saga)
        return;
    baro__saga_step__init(&call->saga);
    call->saga.saga_id = saga->saga_id;
    call->saga.step = text_copy(call->arena, saga->step);
    call->saga.compensation = saga->compensation;
    call->envelope.saga = &call->saga;
}

static void fill_envelope(struct client_call *call, const struct rpc_request *request)
{
    Baro__RpcRequest *envelope = &call->envelope;
    baro__rpc_request__init(envelope);
    envelope->method = text_copy(call->arena, request->method);
    envelope->call_id = atomic_fetch_add(&call->client->next_call_id, 1);
    envelope->user_id = request->caller.user_id;
    envelope->role = (uint32_t)request->caller.role;
    if (request->idempotency_key)
        envelope->idempotency_key = text_copy(call->arena, request->idempotency_key);
    if (request->traceparent)
        envelope->traceparent = text_copy(call->arena, request->traceparent);
    envelope->payload.data = protobuf_pack(request->message, call->arena, &envelope->payload.len);
    copy_saga(call, request->saga);
}

struct client_call *client_begin(struct rpc_client *client, const struct rpc_request *request,
                                 rpc_done *done, void *arg, struct status *st)
{
    int64_t deadline_us = clock_monotonic_us() + request->timeout_ms * US_PER_MS;
    struct client_call *call = NULL;
    if (request->timeout_ms <= 0)
        *st = refuse(REASON_DEADLINE_EXCEEDED, "no time left");
    else
        *st = take_call(client, &call);
    if (!call)
        return NULL;
    call->done = done;
    call->arg = arg;
    call->idempotent = request->idempotent;
    call->deadline_us = deadline_us;
    fill_envelope(call, request);
    return call;
}

void rpc_call(struct rpc_client *client, const struct rpc_request *request, rpc_done *done,
              void *arg)
{
    struct status st;
    struct client_call *call = client_begin(client, request, done, arg, &st);
    if (call) {
        client_launch(call);
        return;
    }
    count_outcome(client, st.code);
    done(arg, st, NULL);
}

struct rpc_client *rpc_client_create(const struct rpc_client_options *options)
{
    struct seal_key key;
    if (failed(seal_key_init(&key, options->secret)))
        return NULL;
    struct arena *arena = arena_create();
    struct rpc_client *client = arena_alloc(arena, sizeof(*client));
    const char *labels = text_printf(arena, "service=\"%s\"", options->service);
    client->arena = arena;
    client->service = text_copy(arena, options->service);
    client->key = key;
    client->max_in_flight = options->max_in_flight ? options->max_in_flight : MAX_IN_FLIGHT_DEFAULT;
    client->retries =
        metrics_counter("baro_rpc_client_retries_total", "Calls that were sent again.", labels);
    client->open_breakers = metrics_gauge("baro_rpc_client_breakers_open",
                                          "Replicas that get no calls for now.", labels);
    client->next_deadline_us = INT64_MAX;
    arena_pool_init(&client->arenas);
    retry_budget_init(&client->budget);
    randombytes_buf(&client->random, sizeof(client->random));
    randombytes_buf(&client->next_call_id, sizeof(client->next_call_id));
    client->random |= 1;
    pthread_mutex_init(&client->lock, NULL);
    condition_init(&client->wake);
    thread_start(&client->keeper, keeper_main, client);
    struct resolver *resolver =
        resolver_create(options->addresses, keeper_addresses_changed, client);
    pthread_mutex_lock(&client->lock);
    client->resolver = resolver;
    pthread_mutex_unlock(&client->lock);
    return client;
}

static void give_up_calls(struct rpc_client *client)
{
    struct client_call *ended = NULL, *call, *next;
    pthread_mutex_lock(&client->lock);
    for (struct replica *at = client->replicas; at; at = at->next)
        HASH_ITER (hh, at->calls, call, next)
            exchange_end_call(at, call, TRY_GIVEN_UP, NULL, &ended);
    pthread_mutex_unlock(&client->lock);
    client_finish_all(ended);
}

// All leave the list before the first closes: the answers of the others may still be on their way in, and
// who hands those out looks at all that the list has.
static void close_replicas(struct rpc_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct replica *at = client->replicas, *next;
    client->replicas = NULL;
    pthread_mutex_unlock(&client->lock);
    for (; at; at = next) {
        next = at->next;
        replica_close(at);
    }
}

static void fail_waiting(struct rpc_client *client)
{
    struct client_call *call, *next;
    DL_FOREACH_SAFE (client->waiting, call, next) {
        DL_DELETE(client->waiting, call);
        client_finish(call, refuse(REASON_UNAVAILABLE, "shutting down"), NULL);
    }
}

void rpc_client_destroy(struct rpc_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    pthread_join(client->keeper, NULL);
    resolver_destroy(client->resolver);
    give_up_calls(client);
    close_replicas(client);
    fail_waiting(client);
    struct client_call *call, *next;
    LL_FOREACH_SAFE (client->pool, call, next) {
        arena_destroy(call->arena);
        free(call);
    }
    arena_pool_fini(&client->arenas);
    arena_destroy(client->urls_arena);
    pthread_cond_destroy(&client->wake);
    pthread_mutex_destroy(&client->lock);
    arena_destroy(client->arena);
}

bool rpc_client_ready(struct rpc_client *client)
{
    bool ready = false;
    pthread_mutex_lock(&client->lock);
    for (const struct replica *at = client->replicas; at && !ready; at = at->next)
        ready = replica_is_ready(at);
    pthread_mutex_unlock(&client->lock);
    return ready;
}
