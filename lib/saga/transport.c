// Publishes commands and receives their replies.
//
// Replies arrive on the threads of several subscribers and RPC clients. They reach the runner under
// the read side of a lock whose write side is `bind`, so that the runner can be taken away safely. A
// port that is called from inside a reply takes the read side once more, which glibc's default (readers
// first) permits.

#include "lib/saga/transport.h"

#include "lib/base/memory.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/bus/commands.h"
#include "lib/rpc/envelope.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How long a participant may take. A command that waited longer in its queue is dropped there, at no
// cost; by then it has been asked for over RPC.
enum { COMMAND_TIMEOUT_MS = 5000, ASK_TIMEOUT_MS = 5000 };

struct source {
    struct subscriber *subscriber;
    struct rpc_client *client;
    char *name;
};

struct saga_transport {
    struct publisher *publisher;
    char *reply_topic;
    struct source *sources;
    size_t source_count;
    pthread_rwlock_t binding;
    struct saga_runner *runner;
    pthread_mutex_t lock; // of asks
    pthread_cond_t no_asks;
    size_t asks; // under way
};

static void deliver(struct saga_transport *transport, const Baro__RpcReply *const *replies,
                    size_t count)
{
    pthread_rwlock_rdlock(&transport->binding);
    if (transport->runner)
        saga_runner_reply(transport->runner, replies, count);
    pthread_rwlock_unlock(&transport->binding);
}

static void received(void *arg, const Baro__BusMessage *message)
{
    if (message->n_replies)
        deliver(arg, (const Baro__RpcReply *const *)message->replies, message->n_replies);
}

static struct status add_source(struct saga_transport *transport,
                                const struct saga_participant *participant, const char *secret)
{
    struct source *source = &transport->sources[transport->source_count];
    struct status st = subscriber_start(participant->bus_addresses, secret, received, transport,
                                        &source->subscriber);
    if (failed(st))
        return st;
    source->client = participant->client;
    source->name = memory_text(participant->name);
    transport->source_count++;
    const char *topics[] = {transport->reply_topic};
    subscriber_set_topics(source->subscriber, topics, COUNT(topics));
    return OK;
}

static struct saga_transport *create(const struct saga_transport_options *options)
{
    struct saga_transport *transport = memory_alloc(sizeof(*transport));
    int length = asprintf(&transport->reply_topic, "saga.reply.%s", options->instance);
    assert(length > 0 && length <= TOPIC_LENGTH_MAX);
    transport->publisher = options->publisher;
    transport->sources = memory_array(options->participant_count, sizeof(*transport->sources));
    pthread_rwlock_init(&transport->binding, NULL);
    pthread_mutex_init(&transport->lock, NULL);
    pthread_cond_init(&transport->no_asks, NULL);
    return transport;
}

struct status saga_transport_start(const struct saga_transport_options *options,
                                   struct saga_transport **out)
{
    struct saga_transport *transport = create(options);
    for (size_t i = 0; i < options->participant_count; i++) {
        struct status st = add_source(transport, &options->participants[i], options->secret);
        if (failed(st)) {
            saga_transport_destroy(transport);
            return st;
        }
    }
    *out = transport;
    return OK;
}

void saga_transport_bind(struct saga_transport *transport, struct saga_runner *runner)
{
    pthread_rwlock_wrlock(&transport->binding);
    transport->runner = runner;
    pthread_rwlock_unlock(&transport->binding);
}

void saga_transport_destroy(struct saga_transport *transport)
{
    if (!transport)
        return;
    pthread_mutex_lock(&transport->lock);
    while (transport->asks > 0)
        pthread_cond_wait(&transport->no_asks, &transport->lock);
    pthread_mutex_unlock(&transport->lock);
    for (size_t i = 0; i < transport->source_count; i++) {
        subscriber_destroy(transport->sources[i].subscriber);
        free(transport->sources[i].name);
    }
    free(transport->sources);
    free(transport->reply_topic);
    pthread_rwlock_destroy(&transport->binding);
    pthread_mutex_destroy(&transport->lock);
    pthread_cond_destroy(&transport->no_asks);
    free(transport);
}

// Publishing

// A command and where it goes, in the order in which they came.
struct routed {
    const char *participant;
    int64_t partition;
    size_t position;
    const struct saga_command *command;
};

static int compare_topics(const struct routed *a, const struct routed *b)
{
    int order = strcmp(a->participant, b->participant);
    return order ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static int compare_routed(const void *a, const void *b)
{
    const struct routed *left = a, *right = b;
    int order = compare_topics(left, right);
    return order ? order : (left->position > right->position) - (left->position < right->position);
}

static Baro__RpcRequest *make_envelope(const struct saga_command *command, struct arena *arena)
{
    Baro__RpcRequest *envelope = arena_alloc(arena, sizeof(*envelope));
    baro__rpc_request__init(envelope);
    envelope->method = protobuf_text(command->method);
    envelope->timeout_ms = COMMAND_TIMEOUT_MS;
    envelope->attempt = (uint32_t)command->attempt;
    envelope->role = CALLER_SERVICE;
    envelope->traceparent = protobuf_text(command->traceparent);
    envelope->payload.data = protobuf_pack(command->request, arena, &envelope->payload.len);
    envelope->saga = arena_copy(arena, &command->step, sizeof(command->step));
    return envelope;
}

static void publish_topic(struct saga_transport *transport, struct arena *arena,
                          const struct routed *routed, size_t count)
{
    Baro__BusMessage message;
    baro__bus_message__init(&message);
    message.reply_topic = transport->reply_topic;
    message.n_commands = count;
    message.commands = arena_array(arena, count, sizeof(*message.commands));
    for (size_t i = 0; i < count; i++)
        message.commands[i] = make_envelope(routed[i].command, arena);
    publish(transport->publisher, saga_topic(arena, routed->participant, routed->partition),
            &message);
}

void saga_transport_publish(struct saga_transport *transport, const struct saga_command *commands,
                            size_t count)
{
    SCOPED(arena) *arena = arena_create();
    struct routed *routed = arena_array(arena, count, sizeof(*routed));
    for (size_t i = 0; i < count; i++)
        routed[i] = (struct routed){
            .participant = commands[i].participant,
            .partition = (int64_t)((uint64_t)commands[i].saga_id % SAGA_PARTITIONS),
            .position = i,
            .command = &commands[i],
        };
    qsort(routed, count, sizeof(*routed), compare_routed);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && compare_topics(&routed[from], &routed[to]) == 0; to++)
            ;
        publish_topic(transport, arena, &routed[from], to - from);
    }
}

// Asking

struct ask {
    struct saga_transport *transport;
    Baro__SagaStep step; // its name is the saga table's
};

static struct rpc_client *client_of(const struct saga_transport *transport, const char *name)
{
    size_t i = 0;
    while (i < transport->source_count && strcmp(transport->sources[i].name, name) != 0)
        i++;
    assert(i < transport->source_count);
    return transport->sources[i].client;
}

static void answered(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct ask *ask = arg;
    struct saga_transport *transport = ask->transport;
    Baro__RpcReply answer;
    envelope_fill_status(&answer, st);
    if (reply && !failed(st))
        answer = *reply;
    answer.saga = &ask->step;
    const Baro__RpcReply *answers[] = {&answer};
    deliver(transport, answers, COUNT(answers));
    free(ask);
    pthread_mutex_lock(&transport->lock);
    if (--transport->asks == 0)
        pthread_cond_signal(&transport->no_asks);
    pthread_mutex_unlock(&transport->lock);
}

void saga_transport_ask(struct saga_transport *transport, const struct saga_command *command)
{
    struct ask *ask = memory_alloc(sizeof(*ask));
    *ask = (struct ask){.transport = transport, .step = command->step};
    pthread_mutex_lock(&transport->lock);
    transport->asks++;
    pthread_mutex_unlock(&transport->lock);
    rpc_call(client_of(transport, command->participant),
             &(struct rpc_request){
                 .method = command->method,
                 .message = command->request,
                 .caller = {.role = CALLER_SERVICE},
                 .timeout_ms = ASK_TIMEOUT_MS,
                 .traceparent = command->traceparent,
                 .saga = &ask->step,
                 .idempotent = true,
             },
             answered, ask);
}
