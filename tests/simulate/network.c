// A model of lib/rpc's client and server and of lib/bus, behind their own headers. Requests, replies
// and published messages travel as packed bytes, like over nng, each on a way of its own: it may be
// lost, doubled, late, and so overtake others. A call to a process that is not there fails at once; one
// whose process dies, or whose reply is lost, ends by its deadline or as unavailable, and what the far
// end has done is not known. What lib/rpc/client.h promises of retries holds: the same call again, for
// idempotent ones only.
//
// Envelopes are packed, unpacked and submitted by the code of lib/rpc and lib/bus.

#include "tests/simulate/network.h"

#include "lib/base/arena.h"
#include "lib/base/protobuf.h"
#include "lib/bus/bus.h"
#include "lib/rpc/client.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/server.h"
#include "tests/simulate/faults.h"
#include "tests/simulate/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LATENCY_MIN_US = 50, LATENCY_MAX_US = 800, TRIES = 3, RETRY_US = 20000, TOPICS_MAX = 20 };
enum { REPLICAS_MAX = 8 };

struct network_faults network_faults;
struct network_counts network_counts;

// All processes that have ever listened or published, by kind: dead ones are still dialled.
static struct {
    struct process *of[KINDS][REPLICAS_MAX];
    size_t count[KINDS];
} replicas;

static int64_t cut_until_us[KINDS + 1][KINDS + 1];

void network_cut(enum process_kind from, enum process_kind to, int64_t until_us)
{
    trace("nothing goes from %s to %s for %lld ms", KIND_NAMES[from], KIND_NAMES[to],
          (long long)(until_us - world_now_us()) / 1000);
    cut_until_us[from][to] = until_us;
}

// What is under way arrives when it would have.
void network_heal(void)
{
    memset(cut_until_us, 0, sizeof(cut_until_us));
}

void network_begin(void)
{
    network_heal();
    memset(&replicas, 0, sizeof(replicas));
    network_counts = (struct network_counts){0};
}

static void enlist(struct process *process)
{
    size_t *count = &replicas.count[process->kind];
    for (size_t i = 0; i < *count; i++)
        if (replicas.of[process->kind][i] == process)
            return;
    replicas.of[process->kind][(*count)++] = process;
}

// "user", or an address that ends with "/user".
static enum process_kind kind_named(const char *address)
{
    const char *slash = strrchr(address, '/'), *name = slash ? slash + 1 : address;
    enum process_kind kind = USER;
    while (strcmp(KIND_NAMES[kind], name) != 0) {
        kind++;
        assert(kind < KINDS);
    }
    return kind;
}

// Bytes on their way.
struct packed {
    size_t size;
    uint8_t *bytes;
};

static struct packed pack(const ProtobufCMessage *message)
{
    struct packed packed = {.size = protobuf_c_message_get_packed_size(message)};
    packed.bytes = world_alloc(packed.size);
    protobuf_c_message_pack(message, packed.bytes);
    return packed;
}

static int64_t latency_us(void)
{
    int64_t us = chance_between(LATENCY_MIN_US, LATENCY_MAX_US);
    if (faults_strike(PLACE_LATE, network_faults.slow)) {
        network_counts.slowed++;
        us += chance_between(0, network_faults.slow_us);
    }
    return us;
}

// A message and what its arrival is.
struct letter {
    enum process_kind from, to;
    event_run *arrive;
    void *arg;
    uint64_t token;
};

static void send_copy(const struct letter *letter)
{
    int64_t at_us = world_now_us() + latency_us();
    int64_t open_us = cut_until_us[letter->from][letter->to];
    if (open_us > world_now_us()) {
        network_counts.cut++;
        if (chance_once_in(2))
            return;
        at_us += open_us - world_now_us();
    }
    world_at(at_us, letter->arrive, letter->arg, letter->token);
}

// Sends one message: an event for each copy that arrives.
static void send_letter(struct letter letter, bool may_double)
{
    network_counts.messages++;
    if (faults_strike(PLACE_LOST, network_faults.lose)) {
        network_counts.lost++;
        return;
    }
    send_copy(&letter);
    if (may_double && faults_strike(PLACE_DOUBLED, network_faults.duplicate)) {
        network_counts.duplicated++;
        send_copy(&letter);
    }
}

// Calls

struct rpc_client {
    enum process_kind kind;
};

struct rpc_server {
    struct responder responder; // first: the dispatcher hands it back to us
    struct process *process;
    struct dispatcher *dispatcher;
};

// One call, from its start to its end; copies of its messages may live on.
struct rpc {
    struct process *caller;
    uint64_t caller_life;
    enum process_kind kind;
    struct packed request;
    const char *method;
    bool idempotent, ended;
    int tries;
    int64_t deadline_us; // of the world
    struct process *callee;
    rpc_done *done;
    void *arg;
};

// One try of a call that was sent to a process.
struct sent {
    struct rpc *rpc;
    struct sent *next;
};

// A copy of a request or reply at its destination.
struct delivery {
    struct rpc *rpc;
    struct rpc_server *server;
    struct packed bytes;
};

struct rpc_client *rpc_client_create(const struct rpc_client_options *options)
{
    struct rpc_client *client = calloc(1, sizeof(*client));
    assert(client);
    client->kind = kind_named(options->service);
    return client;
}

void rpc_client_destroy(struct rpc_client *client)
{
    free(client);
}

bool rpc_client_ready(struct rpc_client *client)
{
    (void)client;
    return true;
}

// Every message travels alone here.
void rpc_client_cork(struct rpc_client *client)
{
    (void)client;
}

void rpc_client_uncork(struct rpc_client *client)
{
    (void)client;
}

static bool caller_lives(const struct rpc *rpc)
{
    return rpc->caller->alive && rpc->caller->life == rpc->caller_life;
}

static void *end_with_failure(void *arg)
{
    struct delivery *end = arg;
    enum reason reason = end->bytes.size ? REASON_UNAVAILABLE : REASON_DEADLINE_EXCEEDED;
    end->rpc->done(end->rpc->arg, refuse(reason, "no answer"), NULL);
    return NULL;
}

static void fail_call(struct rpc *rpc, bool unavailable)
{
    if (rpc->ended)
        return;
    rpc->ended = true;
    if (!caller_lives(rpc))
        return;
    struct delivery *end = world_alloc(sizeof(*end));
    *end = (struct delivery){.rpc = rpc, .bytes = {.size = unavailable}};
    fiber_start(rpc->caller, end_with_failure, end, false);
}

static void *take_reply(void *arg)
{
    struct delivery *delivery = arg;
    struct rpc *rpc = delivery->rpc;
    SCOPED(arena) *arena = arena_create();
    Baro__RpcReply *reply = (Baro__RpcReply *)protobuf_unpack(
        &baro__rpc_reply__descriptor, delivery->bytes.size, delivery->bytes.bytes, arena);
    assert(reply);
    rpc->done(rpc->arg, envelope_status(reply), reply);
    return NULL;
}

static void reply_arrives(void *arg, uint64_t token)
{
    struct delivery *delivery = arg;
    (void)token;
    if (delivery->rpc->ended || !caller_lives(delivery->rpc))
        return;
    delivery->rpc->ended = true;
    fiber_start(delivery->rpc->caller, take_reply, delivery, false);
}

static void trace_command(const char *how, const Baro__RpcRequest *command)
{
    const Baro__SagaStep *step = command->saga;
    if (trace_on && step)
        trace("%s %s of saga %lld, %s%s", how, command->method, (long long)step->saga_id,
              step->compensation ? "undoing " : "", step->step);
}

static void trace_reply(const char *how, const Baro__RpcReply *reply)
{
    const Baro__SagaStep *step = reply->saga;
    if (trace_on && step)
        trace("%s %s for saga %lld, %s%s", how, reply->code ? reply->reason : "OK",
              (long long)step->saga_id, step->compensation ? "undoing " : "", step->step);
}

static void respond(struct responder *responder, struct call *call, const Baro__RpcReply *reply)
{
    (void)responder;
    struct delivery *delivery = world_alloc(sizeof(*delivery));
    *delivery = (struct delivery){.rpc = call_token(call), .bytes = pack(&reply->base)};
    if (reply->saga)
        trace_reply("answers", reply);
    else if (reply->code)
        trace("%s: %s %s", delivery->rpc->method, reply->reason, reply->message);
    struct rpc *rpc = delivery->rpc;
    send_letter((struct letter){rpc->kind, rpc->caller->kind, reply_arrives, delivery, 0}, true);
}

static void flush(struct responder *responder)
{
    (void)responder;
}

static void *take_request(void *arg)
{
    struct delivery *delivery = arg;
    SCOPED(arena) *arena = arena_create();
    const Baro__RpcRequest *request = (const Baro__RpcRequest *)protobuf_unpack(
        &baro__rpc_request__descriptor, delivery->bytes.size, delivery->bytes.bytes, arena);
    assert(request);
    trace_command("is asked for", request);
    dispatcher_submit(delivery->server->dispatcher, request, &delivery->server->responder,
                      delivery->rpc);
    return NULL;
}

static void try_call(void *arg, uint64_t token);

static void connection_fails(void *arg, uint64_t token)
{
    struct rpc *rpc = arg;
    (void)token;
    bool in_time = world_now_us() + RETRY_US < rpc->deadline_us;
    if (rpc->idempotent && rpc->tries < TRIES && in_time)
        world_at(world_now_us() + chance_between(RETRY_US / 2, RETRY_US), try_call, rpc, 0);
    else
        fail_call(rpc, true);
}

static void request_arrives(void *arg, uint64_t life)
{
    struct rpc *rpc = arg;
    struct process *callee = rpc->callee;
    if (!callee->alive || callee->life != life || !callee->server) {
        network_counts.refused++;
        connection_fails(rpc, 0);
        return;
    }
    struct delivery *delivery = world_alloc(sizeof(*delivery));
    *delivery = (struct delivery){.rpc = rpc, .server = callee->server, .bytes = rpc->request};
    fiber_start(callee, take_request, delivery, false);
}

static void try_call(void *arg, uint64_t token)
{
    struct rpc *rpc = arg;
    (void)token;
    if (rpc->ended || !caller_lives(rpc))
        return;
    size_t count = replicas.count[rpc->kind];
    rpc->tries++;
    if (count == 0) {
        connection_fails(rpc, 0);
        return;
    }
    rpc->callee = replicas.of[rpc->kind][chance_below(count)];
    struct sent *sent = world_alloc(sizeof(*sent));
    *sent = (struct sent){rpc, rpc->callee->calls};
    rpc->callee->calls = sent;
    send_letter(
        (struct letter){rpc->caller->kind, rpc->kind, request_arrives, rpc, rpc->callee->life},
        rpc->idempotent);
}

static void deadline_passes(void *arg, uint64_t token)
{
    (void)token;
    fail_call(arg, false);
}

void rpc_call(struct rpc_client *client, const struct rpc_request *request, rpc_done *done,
              void *arg)
{
    SCOPED(arena) *arena = arena_create();
    Baro__RpcRequest envelope;
    baro__rpc_request__init(&envelope);
    envelope.method = protobuf_text(request->method);
    envelope.timeout_ms = (uint32_t)request->timeout_ms;
    envelope.attempt = 1;
    envelope.user_id = request->caller.user_id;
    envelope.role = (uint32_t)request->caller.role;
    envelope.idempotency_key = protobuf_text(request->idempotency_key);
    envelope.traceparent = protobuf_text(request->traceparent);
    envelope.payload.data = protobuf_pack(request->message, arena, &envelope.payload.len);
    if (request->saga)
        envelope.saga = arena_copy(arena, request->saga, sizeof(*request->saga));
    struct rpc *rpc = world_alloc(sizeof(*rpc));
    *rpc = (struct rpc){
        .caller = process_now,
        .caller_life = process_now->life,
        .kind = client->kind,
        .request = pack(&envelope.base),
        .method = request->method,
        .idempotent = request->idempotent,
        .deadline_us = world_now_us() + request->timeout_ms * 1000,
        .done = done,
        .arg = arg,
    };
    world_at(rpc->deadline_us, deadline_passes, rpc, 0);
    world_at(world_now_us(), try_call, rpc, 0);
}

struct status rpc_server_start(const struct rpc_server_options *options, struct rpc_server **out)
{
    struct rpc_server *server = world_alloc(sizeof(*server));
    *server = (struct rpc_server){
        .responder = {.respond = respond, .flush = flush},
        .process = process_now,
        .dispatcher = options->dispatcher,
    };
    process_now->server = server;
    enlist(process_now);
    *out = server;
    return OK;
}

int rpc_server_port(const struct rpc_server *server)
{
    (void)server;
    return 0;
}

void rpc_server_stop_serving(struct rpc_server *server)
{
    server->process->server = NULL;
}

void rpc_server_destroy(struct rpc_server *server)
{
    if (server)
        server->process->server = NULL;
}

// Pub/sub

struct publisher {
    struct process *process;
};

struct subscriber {
    enum process_kind source;
    bus_received *received;
    void *arg;
    char *topics[TOPICS_MAX];
    size_t topic_count;
    struct subscriber *next;
};

struct bus_delivery {
    struct process *process;
    struct subscriber *subscriber;
    struct packed bytes;
};

struct status publisher_start(const char *listen, const char *secret, struct publisher **publisher)
{
    (void)listen;
    (void)secret;
    *publisher = world_alloc(sizeof(**publisher));
    (*publisher)->process = process_now;
    process_now->publisher = *publisher;
    enlist(process_now);
    return OK;
}

int publisher_port(const struct publisher *publisher)
{
    (void)publisher;
    return 0;
}

void publisher_destroy(struct publisher *publisher)
{
    if (publisher)
        publisher->process->publisher = NULL;
}

static void *take_message(void *arg)
{
    struct bus_delivery *delivery = arg;
    SCOPED(arena) *arena = arena_create();
    const Baro__BusMessage *message = (const Baro__BusMessage *)protobuf_unpack(
        &baro__bus_message__descriptor, delivery->bytes.size, delivery->bytes.bytes, arena);
    assert(message);
    for (size_t i = 0; i < message->n_commands; i++)
        trace_command("hears", message->commands[i]);
    for (size_t i = 0; i < message->n_replies; i++)
        trace_reply("hears", message->replies[i]);
    delivery->subscriber->received(delivery->subscriber->arg, message);
    return NULL;
}

static bool subscribes(const struct process *process, const struct subscriber *wanted)
{
    const struct subscriber *subscriber = process->subscribers;
    while (subscriber && subscriber != wanted)
        subscriber = subscriber->next;
    return subscriber != NULL;
}

static void message_arrives(void *arg, uint64_t life)
{
    struct bus_delivery *delivery = arg;
    struct process *process = delivery->process;
    if (process->alive && process->life == life && subscribes(process, delivery->subscriber))
        fiber_start(process, take_message, delivery, false);
}

static bool hears(const struct subscriber *subscriber, enum process_kind source, const char *topic)
{
    if (subscriber->source != source)
        return false;
    for (size_t i = 0; i < subscriber->topic_count; i++)
        if (strcmp(subscriber->topics[i], topic) == 0)
            return true;
    return false;
}

static void deliver(struct process *process, enum process_kind source, const char *topic,
                    const struct packed *bytes)
{
    for (struct subscriber *s = process->subscribers; s; s = s->next) {
        if (!hears(s, source, topic))
            continue;
        struct bus_delivery *delivery = world_alloc(sizeof(*delivery));
        *delivery = (struct bus_delivery){process, s, *bytes};
        send_letter(
            (struct letter){source, process->kind, message_arrives, delivery, process->life}, true);
    }
}

void publish(struct publisher *publisher, const char *topic, const Baro__BusMessage *message)
{
    struct packed bytes = pack(&message->base);
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < replicas.count[kind]; i++)
            if (replicas.of[kind][i]->alive)
                deliver(replicas.of[kind][i], publisher->process->kind, topic, &bytes);
}

struct status subscriber_start(const char *addresses, const char *secret, bus_received *received,
                               void *arg, struct subscriber **out)
{
    (void)secret;
    struct subscriber *subscriber = world_alloc(sizeof(*subscriber));
    *subscriber = (struct subscriber){
        .source = kind_named(addresses),
        .received = received,
        .arg = arg,
        .next = process_now->subscribers,
    };
    process_now->subscribers = subscriber;
    *out = subscriber;
    return OK;
}

void subscriber_destroy(struct subscriber *subscriber)
{
    struct subscriber **link = &process_now->subscribers;
    while (*link && *link != subscriber)
        link = &(*link)->next;
    if (*link)
        *link = subscriber->next;
}

void subscriber_set_topics(struct subscriber *subscriber, const char *const *topics, size_t count)
{
    assert(count <= TOPICS_MAX);
    bool same = count == subscriber->topic_count;
    for (size_t i = 0; same && i < count; i++)
        same = strcmp(subscriber->topics[i], topics[i]) == 0;
    if (same)
        return;
    subscriber->topic_count = count;
    for (size_t i = 0; i < count; i++)
        subscriber->topics[i] = world_text(topics[i]);
}

void network_forget(struct process *process)
{
    for (const struct sent *sent = process->calls; sent; sent = sent->next)
        if (!sent->rpc->ended && sent->rpc->callee == process)
            world_at(world_now_us() + latency_us(), connection_fails, sent->rpc, 0);
    process->calls = NULL;
    process->server = NULL;
    process->publisher = NULL;
    process->subscribers = NULL;
}
