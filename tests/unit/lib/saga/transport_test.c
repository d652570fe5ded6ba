// An orchestrator and a participant with everything real between them: publishers, subscribers, RPC.

#include "lib/saga/transport.h"

#include "lib/base/clock.h"
#include "lib/bus/commands.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/server.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct stand_store store;
static struct dispatcher *dispatcher;
static struct publisher *orchestrator, *participant;
static struct command_receiver *receiver;
static struct rpc_server *server;
static struct rpc_client *client;
static struct saga_transport *transport;
static struct saga_runner *runner;
static atomic_int completed, asks, published;

static const struct method ECHO = {
    .name = "Echo", .kind = METHOD_WRITE, .access = ACCESS_ANYBODY, .handle = stand_echo};

static const ProtobufCMessage *text_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Text *context = (const Baro__Text *)saga->context;
    return &stand_text(arena, context->value)->base;
}

// The second step sends what the first was answered.
static void take_reply(struct saga *saga, const ProtobufCMessage *reply)
{
    Baro__Text *context = (Baro__Text *)saga->context;
    context->value = ((const Baro__Text *)reply)->value;
}

static const struct saga_step steps[] = {
    {"first",  "stand", STAND_METHOD, NULL, SAGA_RETRIABLE, text_request, NULL,
     &baro__text__descriptor,                                                         take_reply},
    {"second", "stand", STAND_METHOD, NULL, SAGA_RETRIABLE, text_request, NULL, NULL, NULL      },
};

static const struct saga_definition talk = {"talk", &baro__text__descriptor, steps, COUNT(steps)};

static int64_t now_us(void *context)
{
    (void)context;
    return clock_monotonic_us();
}

static uint64_t no_jitter(void *context)
{
    (void)context;
    return 0;
}

static void publish_port(void *context, const struct saga_command *commands, size_t count)
{
    (void)context;
    atomic_fetch_add(&published, 1);
    saga_transport_publish(transport, commands, count);
}

static void ask_port(void *context, const struct saga_command *command)
{
    (void)context;
    atomic_fetch_add(&asks, 1);
    saga_transport_ask(transport, command);
}

static void record_port(void *context, enum saga_record what, const struct saga *saga)
{
    (void)context;
    saga_runner_recorded(runner, saga->id, what, OK);
}

static void ended_port(void *context, const struct saga *saga)
{
    (void)context;
    if (saga->state == SAGA_COMPLETED)
        atomic_fetch_add(&completed, 1);
}

static void start_publisher(struct publisher **out, char *address, size_t size)
{
    struct status st = publisher_start("tcp://127.0.0.1:0", STAND_SECRET, out);
    cr_assert(!failed(st), "%s", st.message);
    snprintf(address, size, "tcp://127.0.0.1:%d", publisher_port(*out));
}

static void start_participant(char *bus, char *rpc, size_t size, const char *orchestrator_bus)
{
    start_publisher(&participant, bus, size);
    dispatcher = stand_dispatcher(&ECHO, &store, (struct dispatcher_options){.queue_max = 4096});
    const struct rpc_server_options options = {.listen = "tcp://127.0.0.1:0",
                                               .secret = STAND_SECRET,
                                               .instance = "stand",
                                               .contexts = 64,
                                               .dispatcher = dispatcher};
    cr_assert(!failed(rpc_server_start(&options, &server)));
    cr_assert(!failed(command_receiver_start("stand", orchestrator_bus, STAND_SECRET, dispatcher,
                                             participant, &receiver)));
    snprintf(rpc, size, "tcp://127.0.0.1:%d", rpc_server_port(server));
}

static void start_orchestrator(const char *bus, const char *rpc)
{
    client = rpc_client_create(
        &(struct rpc_client_options){.service = "stand", .addresses = rpc, .secret = STAND_SECRET});
    const struct saga_participant participants[] = {
        {"stand", bus, client}
    };
    const struct saga_transport_options options = {.publisher = orchestrator,
                                                   .instance = "me",
                                                   .secret = STAND_SECRET,
                                                   .participants = participants,
                                                   .participant_count = 1};
    cr_assert(!failed(saga_transport_start(&options, &transport)));
    const struct saga_ports ports = {NULL,         now_us,   now_us,      no_jitter,
                                     publish_port, ask_port, record_port, ended_port};
    runner = saga_runner_create(&ports, &(struct saga_runner_options){.retry_first_ms = 2000});
    saga_transport_bind(transport, runner);
    saga_runner_thread_start(runner);
}

static void given_both(void)
{
    char own[64], bus[64], rpc[64];
    cr_assert(!failed(nng_prepare()));
    start_publisher(&orchestrator, own, sizeof(own));
    start_participant(bus, rpc, sizeof(bus), own);
    start_orchestrator(bus, rpc);
}

static void end_both(void)
{
    saga_transport_bind(transport, NULL);
    saga_runner_destroy(runner);
    saga_transport_destroy(transport);
    rpc_client_destroy(client);
    dispatcher_drain(dispatcher, 5000);
    command_receiver_destroy(receiver);
    rpc_server_destroy(server);
    dispatcher_destroy(dispatcher);
    publisher_destroy(orchestrator);
    publisher_destroy(participant);
}

TestSuite(transport, .init = given_both, .fini = end_both, .timeout = 60);

static void start_sagas(int64_t first, size_t count)
{
    struct saga_start *starts = calloc(count, sizeof(*starts));
    cr_assert(starts);
    for (size_t i = 0; i < count; i++)
        starts[i] = (struct saga_start){
            .id = first + (int64_t)i,
            .definition = &talk,
            .context = {(const uint8_t *)"\x0a\x02hi", 4}
        };
    saga_runner_start(runner, starts, count);
    free(starts);
}

static bool are_completed(void *arg)
{
    return atomic_load(&completed) >= *(int *)arg;
}

static bool is_connected(void *arg)
{
    int64_t *id = arg;
    int before = atomic_load(&asks);
    int wanted = atomic_load(&completed) + 1;
    start_sagas((*id)++, 1);
    cr_assert(stand_wait(are_completed, &wanted, 10 * 1000));
    return atomic_load(&asks) == before;
}

Test(transport, sagas_that_nobody_hears_are_asked_for_over_rpc)
{
    int count = 100;
    start_sagas(1, 100);
    cr_expect(stand_wait(are_completed, &count, 20 * 1000));
    cr_expect_geq(asks, 100);
}

Test(transport, sagas_that_are_heard_need_no_asking)
{
    int64_t id = 1;
    command_receiver_set_partitions(receiver, UINT32_MAX);
    cr_assert(stand_wait(is_connected, &id, 20 * 1000));
    int before = atomic_load(&asks);
    int count = atomic_load(&completed) + 200;
    start_sagas(1000, 200);
    cr_expect(stand_wait(are_completed, &count, 20 * 1000));
    cr_expect_eq(asks, before);
}
