// A participant's end of the saga commands.
//
// Replies wait in one list per reply topic until their batch is flushed, and leave as one message.
// Workers flush concurrently: whoever comes first takes along what others have put there, which is
// harmless. While a message's commands are being submitted nothing is flushed, so that refusals on
// the spot (an overload) share a message too.

#include "lib/bus/commands.h"

#include "lib/base/memory.h"
#include "lib/base/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// The replies that wait for one topic. It lives as long as commands that name the topic are under way.
struct outbound {
    char *topic;
    size_t under_way;    // commands without a reply yet
    struct arena *arena; // of the replies
    Baro__RpcReply **replies;
    size_t count, capacity;
    struct outbound *next;
};

struct command_receiver {
    struct responder responder; // first: the dispatcher hands it back to us
    struct dispatcher *dispatcher;
    struct publisher *publisher;
    struct subscriber *subscriber;
    char *participant;
    pthread_mutex_t lock; // of all below
    struct outbound *outbound;
    bool submitting;
};

static struct outbound *outbound_create(const char *topic)
{
    struct outbound *outbound = memory_alloc(sizeof(*outbound));
    outbound->arena = arena_create();
    outbound->topic = memory_text(topic);
    return outbound;
}

static void outbound_destroy(struct outbound *outbound)
{
    arena_destroy(outbound->arena);
    free(outbound->topic);
    free(outbound);
}

// The list for a topic, with `commands` more under way.
static struct outbound *expect_replies(struct command_receiver *receiver, const char *topic,
                                       size_t commands)
{
    struct outbound *outbound = receiver->outbound;
    while (outbound && strcmp(outbound->topic, topic) != 0)
        outbound = outbound->next;
    if (!outbound) {
        outbound = outbound_create(topic);
        outbound->next = receiver->outbound;
        receiver->outbound = outbound;
    }
    outbound->under_way += commands;
    return outbound;
}

static Baro__RpcReply *copy_reply(const Baro__RpcReply *reply, struct arena *arena)
{
    Baro__RpcReply *copy = arena_copy(arena, reply, sizeof(*reply));
    copy->reason = text_copy(arena, reply->reason);
    copy->field = text_copy(arena, reply->field);
    copy->message = text_copy(arena, reply->message);
    copy->payload.data = arena_copy(arena, reply->payload.data, reply->payload.len);
    if (reply->saga) {
        copy->saga = arena_copy(arena, reply->saga, sizeof(*reply->saga));
        copy->saga->step = text_copy(arena, reply->saga->step);
    }
    return copy;
}

static void respond(struct responder *responder, struct call *call, const Baro__RpcReply *reply)
{
    struct command_receiver *receiver = (struct command_receiver *)responder;
    struct outbound *outbound = call_token(call);
    pthread_mutex_lock(&receiver->lock);
    if (outbound->count == outbound->capacity) {
        size_t capacity = outbound->capacity ? 2 * outbound->capacity : 64;
        Baro__RpcReply **grown = arena_array(outbound->arena, capacity, sizeof(*grown));
        for (size_t i = 0; i < outbound->count; i++)
            grown[i] = outbound->replies[i];
        outbound->replies = grown;
        outbound->capacity = capacity;
    }
    outbound->replies[outbound->count++] = copy_reply(reply, outbound->arena);
    outbound->under_way--;
    pthread_mutex_unlock(&receiver->lock);
}

// Takes out the replies of one list that has some, as a list of its own.
static struct outbound *take_replies(struct command_receiver *receiver)
{
    struct outbound **link = &receiver->outbound;
    while (*link && (*link)->count == 0)
        link = &(*link)->next;
    struct outbound *taken = *link;
    if (!taken)
        return NULL;
    if (taken->under_way == 0) {
        *link = taken->next;
        return taken;
    }
    // Calls under way keep pointing to this list: its contents move to a new one.
    struct outbound *copy = outbound_create(taken->topic);
    struct arena *empty = copy->arena;
    copy->arena = taken->arena;
    copy->replies = taken->replies;
    copy->count = taken->count;
    taken->arena = empty;
    taken->replies = NULL;
    taken->count = taken->capacity = 0;
    return copy;
}

static struct outbound *take_replies_unless_submitting(struct command_receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    struct outbound *taken = receiver->submitting ? NULL : take_replies(receiver);
    pthread_mutex_unlock(&receiver->lock);
    return taken;
}

static void flush(struct responder *responder)
{
    struct command_receiver *receiver = (struct command_receiver *)responder;
    struct outbound *outbound;
    while ((outbound = take_replies_unless_submitting(receiver))) {
        Baro__BusMessage message;
        baro__bus_message__init(&message);
        message.replies = outbound->replies;
        message.n_replies = outbound->count;
        publish(receiver->publisher, outbound->topic, &message);
        outbound_destroy(outbound);
    }
}

static void received(void *arg, const Baro__BusMessage *message)
{
    struct command_receiver *receiver = arg;
    if (message->n_commands == 0 || strlen(message->reply_topic) > TOPIC_LENGTH_MAX)
        return;
    pthread_mutex_lock(&receiver->lock);
    struct outbound *outbound = expect_replies(receiver, message->reply_topic, message->n_commands);
    receiver->submitting = true;
    pthread_mutex_unlock(&receiver->lock);

    for (size_t i = 0; i < message->n_commands; i++)
        dispatcher_submit(receiver->dispatcher, message->commands[i], &receiver->responder,
                          outbound);

    pthread_mutex_lock(&receiver->lock);
    receiver->submitting = false;
    pthread_mutex_unlock(&receiver->lock);
    flush(&receiver->responder);
}

struct status command_receiver_start(const char *participant, const char *addresses,
                                     const char *secret, struct dispatcher *dispatcher,
                                     struct publisher *publisher, struct command_receiver **out)
{
    struct command_receiver *receiver = memory_alloc(sizeof(*receiver));
    *receiver = (struct command_receiver){
        .responder = {.respond = respond, .flush = flush},
        .dispatcher = dispatcher,
        .publisher = publisher,
        .participant = memory_text(participant),
    };
    pthread_mutex_init(&receiver->lock, NULL);
    struct status st =
        subscriber_start(addresses, secret, received, receiver, &receiver->subscriber);
    if (failed(st)) {
        command_receiver_destroy(receiver);
        return st;
    }
    *out = receiver;
    return OK;
}

void command_receiver_set_partitions(struct command_receiver *receiver, uint32_t partitions)
{
    SCOPED(arena) *arena = arena_create();
    const char *topics[SAGA_PARTITIONS] = {NULL};
    size_t count = 0;
    for (int i = 0; i < SAGA_PARTITIONS; i++)
        if (partitions & UINT32_C(1) << i)
            topics[count++] = saga_topic(arena, receiver->participant, i);
    subscriber_set_topics(receiver->subscriber, topics, count);
}

void command_receiver_destroy(struct command_receiver *receiver)
{
    if (!receiver)
        return;
    subscriber_destroy(receiver->subscriber);
    struct outbound *next;
    for (struct outbound *outbound = receiver->outbound; outbound; outbound = next) {
        next = outbound->next;
        outbound_destroy(outbound);
    }
    pthread_mutex_destroy(&receiver->lock);
    free(receiver->participant);
    free(receiver);
}

char *saga_topic(struct arena *arena, const char *participant, int64_t saga_id)
{
    int64_t partition = (int64_t)((uint64_t)saga_id % SAGA_PARTITIONS);
    return text_printf(arena, "saga.%s.%d", participant, (int)partition);
}
