#include "lib/base/protobuf.h"

#include "lib/base/text.h"
#include "proto/common.pb-c.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

static void given_arena(void)
{
    arena = arena_create();
}

static void end_arena(void)
{
    arena_destroy(arena);
}

TestSuite(protobuf, .init = given_arena, .fini = end_arena);

// A message with every kind of field: strings, bytes, a message, repeated messages.
static uint8_t *packed_bus_message(const char *reason, size_t *size)
{
    static Baro__RpcRequest command;
    static Baro__RpcReply reply;
    static Baro__SagaStep step;
    static Baro__RpcRequest *commands[] = {&command};
    static Baro__RpcReply *replies[] = {&reply};
    static uint8_t payload[] = {0xFF, 0x00, 0xFE};
    static char method[] = "baro.user.User/Charge", topic[] = "saga.user.3", step_name[] = "debit";
    Baro__BusMessage message;
    baro__rpc_request__init(&command);
    baro__rpc_reply__init(&reply);
    baro__saga_step__init(&step);
    baro__bus_message__init(&message);
    step.saga_id = -1;
    step.step = step_name;
    command.method = method;
    command.call_id = UINT64_MAX;
    command.payload = (ProtobufCBinaryData){sizeof(payload), payload};
    command.saga = &step;
    reply.reason = text_copy(arena, reason);
    message.topic = topic;
    message.n_commands = COUNT(commands);
    message.commands = commands;
    message.n_replies = COUNT(replies);
    message.replies = replies;
    return protobuf_pack(&message.base, arena, size);
}

static ProtobufCMessage *unpack_bus_message(size_t size, const uint8_t *bytes)
{
    return protobuf_unpack(&baro__bus_message__descriptor, size, bytes, arena);
}

Test(protobuf, brings_a_message_through_the_wire)
{
    size_t size;
    uint8_t *bytes = packed_bus_message("재고 부족", &size);
    const Baro__BusMessage *message = (const Baro__BusMessage *)unpack_bus_message(size, bytes);
    cr_assert_not_null(message);
    cr_assert_str_eq(message->topic, "saga.user.3");
    cr_assert_eq(message->n_commands, 1);
    cr_assert_str_eq(message->commands[0]->method, "baro.user.User/Charge");
    cr_assert_eq(message->commands[0]->call_id, UINT64_MAX);
    cr_assert_eq(message->commands[0]->saga->saga_id, -1);
    cr_assert_eq(message->commands[0]->payload.len, 3, "bytes may be anything");
    cr_assert_str_eq(message->replies[0]->reason, "재고 부족");
}

Test(protobuf, takes_the_empty_message)
{
    cr_assert_not_null(protobuf_unpack(&baro__empty__descriptor, 0, NULL, arena));
}

Test(protobuf, refuses_strings_that_are_not_utf8_at_any_depth)
{
    static const char *const strings[] = {"\xFF", "\xC0\x80", "\xED\xA0\x80", "cut \xE1\x80"};
    for (size_t i = 0; i < COUNT(strings); i++) {
        size_t size;
        uint8_t *bytes = packed_bus_message(strings[i], &size);
        cr_assert_null(unpack_bus_message(size, bytes), "row %zu", i);
    }
}

Test(protobuf, refuses_strings_that_hold_nul)
{
    size_t size;
    uint8_t *bytes = packed_bus_message("aXb", &size);
    cr_assert_not_null(unpack_bus_message(size, bytes));
    *(char *)memchr(bytes, 'X', size) = '\0';
    cr_assert_null(unpack_bus_message(size, bytes));
}

Test(protobuf, checks_every_copy_of_a_field)
{
    static const uint8_t twice[] = {0x0A, 1, 0xFF, 0x0A, 1, 'a'}; // the last one wins
    cr_assert_null(unpack_bus_message(sizeof(twice), twice));
    cr_assert_not_null(unpack_bus_message(3, twice + 3));
}

Test(protobuf, keeps_fields_that_this_build_does_not_know)
{
    static const uint8_t bytes[] = {
        0x0A, 1,    'a',                             // topic
        0xF8, 0x7F, 0x80, 0x01,                      // field 2047: a varint
        0xF9, 0x7F, 1,    2,    3,    4, 5, 6, 7, 8, // 64 bits
        0xFA, 0x7F, 2,    0xFF, 0x00,                // bytes, which need not be text
        0xFD, 0x7F, 1,    2,    3,    4,             // 32 bits
    };
    const ProtobufCMessage *message = unpack_bus_message(sizeof(bytes), bytes);
    cr_assert_not_null(message);
    cr_assert_eq(message->n_unknown_fields, 4);
}

Test(protobuf, refuses_malformed_bytes)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\x0A",                                                 1 }, // no length
        {"\x0A\x05xx",                                           4 }, // longer than what is there
        {"\x0A\xFF\xFF\xFF\xFF\x0F",                             6 }, // nearly 4 GiB
        {"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",         11},
        {"\x0B",                                                 1 }, // a group
        {"\x0E",                                                 1 },
        {"\x0F",                                                 1 }, // no such wire type
        {"\x80\x80\x80\x80\x80\x80",                             6 }, // a tag without an end
        {"\x0D\x01\x02",                                         3 }, // 32 bits cut off
        {"\xF8\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 13},
        {"\x08\x01",                                             2 }, // a varint, no string
        {"\x00\x01",                                             2 }, // of a field 0
        {"\x80\x00\x01",                                         3 }, // the same, in two bytes
        {"\x80\x80\x80\x80\x10\x01",                             6 }, // of a field beyond the last
        {"\x1A\x02\x0A\x05",                                     4 }, // nested, too long
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert_null(unpack_bus_message(rows[i].size, (const uint8_t *)rows[i].bytes), "row %zu",
                       i);
}

// Many empty events: two bytes each on the wire, a hundred in memory.
static uint8_t *many_events(size_t count)
{
    uint8_t *bytes = arena_alloc(arena, 2 * count);
    for (size_t i = 0; i < count; i++)
        bytes[2 * i] = 0x0A;
    return bytes;
}

Test(protobuf, refuses_a_small_message_that_would_fill_the_memory)
{
    const ProtobufCMessageDescriptor *type = &baro__fetch_events_reply__descriptor;
    cr_assert_not_null(protobuf_unpack(type, 2 * 5000, many_events(5000), arena));

    size_t beyond = (1 << 20) / sizeof(Baro__Event);
    cr_assert_null(protobuf_unpack(type, 2 * beyond, many_events(beyond), arena));
}

Test(protobuf, allocates_up_to_the_ceiling_and_not_beyond)
{
    struct arena_allocator allocator;
    arena_allocator_init(&allocator, arena, 100);
    void *context = allocator.allocator.allocator_data;
    cr_assert_null(allocator.allocator.alloc(context, 101));
    cr_assert_not_null(allocator.allocator.alloc(context, 60));
    cr_assert_null(allocator.allocator.alloc(context, 60));
    void *last = allocator.allocator.alloc(context, 20);
    cr_assert_not_null(last);
    allocator.allocator.free(context, last);
    cr_assert_null(allocator.allocator.alloc(context, 20), "freeing gives nothing back");
}

Test(protobuf, survives_noise)
{
    size_t size;
    const uint8_t *good = packed_bus_message("INSUFFICIENT_STOCK", &size);
    struct arena *scratch = arena_create();
    uint8_t *bytes = malloc(size); // exactly as long, so that a sanitizer sees a read beyond
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, good, size);
        for (int flips = 1 + round % 4; flips > 0; flips--)
            bytes[(size_t)rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
        size_t cut = round % 3 ? size : (size_t)rand_r(&seed) % size;
        protobuf_unpack(&baro__bus_message__descriptor, cut, bytes + size - cut, scratch);
        arena_reset(scratch);
    }
    free(bytes);
    arena_destroy(scratch);
}

Test(protobuf, lends_a_text_to_structures_that_know_no_const)
{
    static const char NAME[] = "김철수";
    cr_assert_eq(protobuf_text(NAME), NAME, "borrowed");
    cr_assert_str_eq(protobuf_text(NULL), "");
}
