// A participant's end: commands from a publisher, through a dispatcher, back as replies.

#include "lib/bus/commands.h"

#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/rpc/nng.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { REPLIES_MAX = 256 };

static struct stand_store store;
static struct dispatcher *dispatcher;
static struct publisher *orchestrator, *participant;
static struct command_receiver *receiver;
static struct subscriber *replies_heard;
static atomic_size_t messages;        // that were not for saga 0, which looks for the connection
static atomic_int codes[REPLIES_MAX]; // 1 + the status code, by saga id

static const struct method ECHO = {
    .name = "Echo", .kind = METHOD_WRITE, .access = ACCESS_ANYBODY, .handle = stand_echo};

static void heard(void *arg, const Baro__BusMessage *message)
{
    (void)arg;
    for (size_t i = 0; i < message->n_replies; i++) {
        const Baro__RpcReply *reply = message->replies[i];
        if (strcmp(reply->saga->step, "echo") == 0)
            codes[reply->saga->saga_id] = 1 + (int)reply->code;
    }
    if (message->n_replies > 0 && message->replies[0]->saga->saga_id != 0)
        atomic_fetch_add(&messages, 1);
}

static void start_publisher(struct publisher **out, char *address, size_t size)
{
    struct status st = publisher_start("tcp://127.0.0.1:0", STAND_SECRET, out);
    cr_assert(!failed(st), "%s", st.message);
    snprintf(address, size, "tcp://127.0.0.1:%d", publisher_port(*out));
}

static void given_participant(void)
{
    char from[64], to[64];
    cr_assert(!failed(nng_prepare()));
    start_publisher(&orchestrator, from, sizeof(from));
    start_publisher(&participant, to, sizeof(to));
    dispatcher = stand_dispatcher(&ECHO, &store, (struct dispatcher_options){.queue_max = 64});
    cr_assert(!failed(
        command_receiver_start("user", from, STAND_SECRET, dispatcher, participant, &receiver)));
    cr_assert(!failed(subscriber_start(to, STAND_SECRET, heard, NULL, &replies_heard)));
    const char *topics[] = {"saga.reply.me"};
    subscriber_set_topics(replies_heard, topics, 1);
}

static void end_participant(void)
{
    dispatcher_drain(dispatcher, 5000);
    command_receiver_destroy(receiver);
    dispatcher_destroy(dispatcher);
    subscriber_destroy(replies_heard);
    publisher_destroy(orchestrator);
    publisher_destroy(participant);
}

TestSuite(commands, .init = given_participant, .fini = end_participant, .timeout = 60);

static Baro__RpcRequest *command(struct arena *arena, int64_t saga_id, const char *method)
{
    Baro__RpcRequest *envelope = arena_alloc(arena, sizeof(*envelope));
    baro__rpc_request__init(envelope);
    envelope->method = protobuf_text(method);
    envelope->timeout_ms = 5000;
    envelope->role = CALLER_SERVICE;
    envelope->payload.data =
        protobuf_pack(&stand_text(arena, "hello")->base, arena, &envelope->payload.len);
    envelope->saga = arena_alloc(arena, sizeof(*envelope->saga));
    baro__saga_step__init(envelope->saga);
    envelope->saga->saga_id = saga_id;
    envelope->saga->step = protobuf_text("echo");
    return envelope;
}

// Sends commands for sagas first..first+count-1 in one message on the topic of one partition.
static void send_commands(int partition, int64_t first, size_t count, const char *method)
{
    SCOPED(arena) *arena = arena_create();
    Baro__BusMessage message;
    baro__bus_message__init(&message);
    message.reply_topic = protobuf_text("saga.reply.me");
    message.commands = arena_array(arena, count, sizeof(*message.commands));
    message.n_commands = count;
    for (size_t i = 0; i < count; i++)
        message.commands[i] = command(arena, first + (int64_t)i, method);
    publish(orchestrator, saga_topic(arena, "user", partition), &message);
}

static bool is_answered(void *arg)
{
    (void)arg;
    return codes[0] != 0;
}

// What is sent too early is lost, what is sent too often stands in the queue of the others.
static bool is_answered_after_sending(void *arg)
{
    send_commands(3, 0, 1, STAND_METHOD);
    return stand_wait(is_answered, arg, 100);
}

static void await_connection(void)
{
    command_receiver_set_partitions(receiver, UINT32_C(1) << 3);
    cr_assert(stand_wait(is_answered_after_sending, NULL, 10 * 1000));
}

static bool are_answered(void *arg)
{
    size_t count = *(size_t *)arg;
    for (size_t i = 1; i <= count; i++)
        if (codes[i] == 0)
            return false;
    return true;
}

Test(commands, of_one_message_are_answered_on_its_reply_topic_in_few_messages)
{
    size_t count = 60;
    await_connection();
    send_commands(3, 1, count, STAND_METHOD);
    cr_assert(stand_wait(are_answered, &count, 5000));
    for (size_t i = 1; i <= count; i++)
        cr_expect_eq(codes[i], 1 + STATUS_OK);
    cr_expect_lt(messages, 30);
}

Test(commands, that_are_refused_on_the_spot_are_answered_too)
{
    size_t count = 20;
    await_connection();
    send_commands(3, 1, count, "test.Stand/Nothing");
    cr_assert(stand_wait(are_answered, &count, 5000));
    for (size_t i = 1; i <= count; i++)
        cr_expect_eq(codes[i], 1 + STATUS_UNIMPLEMENTED);
    cr_expect_leq(messages, 2);
}

Test(commands, of_partitions_that_others_have_are_not_heard)
{
    size_t count = 1;
    await_connection();
    send_commands(4, 2, 1, STAND_METHOD);
    send_commands(3, 1, 1, STAND_METHOD);
    cr_assert(stand_wait(are_answered, &count, 5000));
    cr_expect_eq(codes[2], 0);
    command_receiver_set_partitions(receiver, UINT32_C(1) << 4);
    send_commands(4, 2, 1, STAND_METHOD);
    count = 2;
    cr_expect(stand_wait(are_answered, &count, 5000));
}
