// Client and server in one process, over real sockets.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/rpc/client.h"
#include "lib/rpc/envelope.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/parcel.h"
#include "lib/rpc/server.h"
#include "tests/support/stand.h"
#include "tests/unit/lib/rpc/peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct stand_store store;
static struct stand_gate gate;
static struct dispatcher *dispatcher;
static struct rpc_server *server;
static char url[64];

// Answers what the text asks for.
static struct status play(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const char *text = stand_value(call);
        if (strcmp(text, "hold") == 0)
            stand_pass(&gate);
        if (strcmp(text, "refuse") == 0)
            call_refuse(call, invalid("amount", "다시 보세요"));
        else if (strcmp(text, "large") == 0)
            call_reply(
                call,
                &stand_text(call->arena, text_printf(call->arena, "%0*d", MESSAGE_MAX, 7))->base);
        else if (strcmp(text, "who") == 0)
            call_reply(call,
                       &stand_text(call->arena,
                                   text_printf(call->arena, "user %d role %d key %s trace %s",
                                               (int)call->caller.user_id, (int)call->caller.role,
                                               call->idempotency_key, call->traceparent))
                            ->base);
        else
            call_reply(call, call->request);
    }
    return OK;
}

static void given_server_at(const char *listen)
{
    static const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, play};
    cr_assert(!failed(nng_prepare()));
    dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    const struct rpc_server_options options = {listen, STAND_SECRET, "first", 64, dispatcher};
    struct status st = rpc_server_start(&options, &server);
    cr_assert(!failed(st), "%s", st.message);
    snprintf(url, sizeof(url), "%s", listen);
    if (strncmp(listen, "tcp", 3) == 0)
        snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", rpc_server_port(server));
}

static void end_server(void)
{
    if (dispatcher)
        dispatcher_drain(dispatcher, 1000);
    rpc_server_destroy(server);
    dispatcher_destroy(dispatcher);
    server = NULL;
    dispatcher = NULL;
}

TestSuite(rpc, .fini = end_server);

Test(rpc, calls_over_tcp_and_ipc)
{
    char path[64];
    snprintf(path, sizeof(path), "ipc:///tmp/baro-rpc-%d", (int)getpid());
    const char *const listens[] = {"tcp://127.0.0.1:0", path};
    for (size_t i = 0; i < COUNT(listens); i++) {
        given_server_at(listens[i]);
        struct rpc_client *client = peer_client(url, STAND_SECRET);
        struct echo echo = peer_echo(client, "안녕", 5000, false);
        cr_expect_eq(echo.code, STATUS_OK, "%s", echo.message);
        cr_expect_str_eq(echo.text, "안녕");
        rpc_client_destroy(client);
        end_server();
    }
    unlink(path + strlen("ipc://"));
}

Test(rpc, carries_refusals_with_reason_and_message)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    struct echo echo = peer_echo(client, "refuse", 5000, false);
    cr_expect_eq(echo.code, STATUS_INVALID_ARGUMENT);
    cr_expect_eq(echo.reason, REASON_VALIDATION_ERROR);
    cr_expect_str_eq(echo.message, "다시 보세요");
    rpc_client_destroy(client);
}

Test(rpc, carries_caller_key_and_trace)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    SCOPED(arena) *arena = arena_create();
    const struct rpc_request request = {
        .method = STAND_METHOD,
        .message = &stand_text(arena, "who")->base,
        .caller = {.user_id = 42, .role = CALLER_ADMIN},
        .timeout_ms = 5000,
        .idempotency_key = "k1",
        .traceparent = "00-ab",
    };
    ProtobufCMessage *reply;
    struct status st = rpc_call_wait(client, &request, &baro__text__descriptor, arena, &reply);
    cr_assert(!failed(st));
    cr_expect_str_eq(((Baro__Text *)reply)->value, "user 42 role 2 key k1 trace 00-ab");
    rpc_client_destroy(client);
}

Test(rpc, describes_its_methods)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    SCOPED(arena) *arena = arena_create();
    Baro__Empty nothing;
    baro__empty__init(&nothing);
    const struct rpc_request request = {
        .method = "baro.Health/Describe", .message = &nothing.base, .timeout_ms = 5000};
    ProtobufCMessage *reply;
    struct status st =
        rpc_call_wait(client, &request, &baro__describe_reply__descriptor, arena, &reply);
    cr_assert(!failed(st));
    const Baro__DescribeReply *description = (const Baro__DescribeReply *)reply;
    cr_assert_eq(description->n_methods, 1);
    cr_expect_str_eq(description->methods[0]->name, STAND_METHOD);
    cr_expect_str_eq(description->methods[0]->request, "baro.Text");
    cr_expect(description->methods[0]->write);
    rpc_client_destroy(client);
}

Test(rpc, refuses_messages_that_are_too_large_both_ways)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    cr_expect_eq(peer_echo(client, "large", 5000, false).code, STATUS_INTERNAL);
    static char large[MESSAGE_MAX];
    memset(large, 'x', sizeof(large) - 1);
    cr_expect_eq(peer_echo(client, large, 5000, false).code, STATUS_INVALID_ARGUMENT);
    cr_expect_str_eq(peer_echo(client, "fine", 5000, false).text, "fine");
    rpc_client_destroy(client);
}

Test(rpc, answers_deadline_exceeded_in_time)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    int64_t start_us = clock_monotonic_us();
    struct echo echo = peer_echo(client, "hold", 100, false);
    int64_t took_ms = (clock_monotonic_us() - start_us) / US_PER_MS;
    atomic_store(&gate.open, true);
    cr_expect_eq(echo.code, STATUS_DEADLINE_EXCEEDED);
    cr_expect(took_ms >= 99 && took_ms < 1000, "%d ms", (int)took_ms);
    cr_expect_eq(peer_echo(client, "x", 0, false).code, STATUS_DEADLINE_EXCEEDED);
    rpc_client_destroy(client);
}

Test(rpc, waits_for_a_replica_within_the_deadline)
{
    char path[64];
    snprintf(path, sizeof(path), "ipc:///tmp/baro-late-%d", (int)getpid());
    struct rpc_client *client = peer_client(path, STAND_SECRET);
    struct echo echo = peer_echo(client, "nobody", 50, true);
    cr_expect(echo.code == STATUS_DEADLINE_EXCEEDED || echo.code == STATUS_UNAVAILABLE);
    cr_expect(!rpc_client_ready(client));
    given_server_at(path);
    echo = peer_echo(client, "late", 5000, false);
    cr_expect_str_eq(echo.text, "late", "%s", echo.message);
    rpc_client_destroy(client);
    unlink(path + strlen("ipc://"));
}

// Outcomes of calls that are started without waiting.
struct tally {
    atomic_int done, unavailable, overloaded;
};

static void count(void *arg, struct status st, const Baro__RpcReply *reply)
{
    (void)reply;
    struct tally *tally = arg;
    atomic_fetch_add(&tally->unavailable, st.code == STATUS_UNAVAILABLE);
    atomic_fetch_add(&tally->overloaded, st.reason == REASON_OVERLOADED);
    atomic_fetch_add(&tally->done, 1);
}

static void start_holding(struct rpc_client *client, int calls, struct tally *tally)
{
    SCOPED(arena) *arena = arena_create();
    const struct rpc_request request = {
        .method = STAND_METHOD, .message = &stand_text(arena, "hold")->base, .timeout_ms = 20000};
    for (int i = 0; i < calls; i++)
        rpc_call(client, &request, count, tally);
}

Test(rpc, fails_the_calls_in_flight_when_the_client_goes_away)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    struct tally tally = {.done = 0};
    start_holding(client, 10, &tally);
    cr_assert(stand_held(&gate));
    cr_expect_eq(atomic_load(&tally.done), 0);
    rpc_client_destroy(client);
    atomic_store(&gate.open, true);
    cr_expect_eq(atomic_load(&tally.done), 10);
    cr_expect_eq(atomic_load(&tally.unavailable), 10);
}

Test(rpc, refuses_calls_beyond_its_limit_at_once)
{
    given_server_at("tcp://127.0.0.1:0");
    const struct rpc_client_options options = {"stand", url, STAND_SECRET, 4};
    struct rpc_client *client = rpc_client_create(&options);
    struct tally tally = {.done = 0};
    start_holding(client, 6, &tally);
    cr_expect_eq(atomic_load(&tally.overloaded), 2);
    cr_assert(stand_held(&gate));
    atomic_store(&gate.open, true);
    rpc_client_destroy(client);
    cr_expect_eq(atomic_load(&tally.done), 6);
}

// A caller that asks again as soon as it is answered, until it is refused.
struct chain {
    struct rpc_client *client;
    atomic_int *answers, *ends;
};

static void ask_again(void *arg, struct status st, const Baro__RpcReply *reply)
{
    SCOPED(arena) *arena = arena_create();
    const struct rpc_request request = {
        .method = STAND_METHOD, .message = &stand_text(arena, "go")->base, .timeout_ms = 20000};
    struct chain *chain = arg;
    (void)reply;
    atomic_fetch_add(failed(st) ? chain->ends : chain->answers, 1);
    if (!failed(st))
        rpc_call(chain->client, &request, ask_again, chain);
}

static bool are_in_motion(void *answers)
{
    return atomic_load((atomic_int *)answers) >= 50;
}

// nng frees what a callback of ours may still be using, unless the callbacks have ended before.
Test(rpc, client_and_server_may_go_while_calls_are_in_motion)
{
    enum { ROUNDS = 60, CHAINS = 8 };
    for (int round = 0; round < ROUNDS; round++) {
        given_server_at("tcp://127.0.0.1:0");
        atomic_int answers = 0, ends = 0;
        struct chain chain = {peer_client(url, STAND_SECRET), &answers, &ends};
        for (int i = 0; i < CHAINS; i++)
            ask_again(&chain, OK, NULL);
        cr_assert(stand_wait(are_in_motion, &answers, 20000));
        cr_assert_eq(atomic_load(&ends), 0);
        if (round % 2)
            end_server();
        rpc_client_destroy(chain.client);
        cr_assert_eq(atomic_load(&ends), CHAINS, "%d of round %d", atomic_load(&ends), round);
        end_server();
    }
}

Test(rpc, server_may_go_before_calls_that_outlive_the_drain)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    struct tally tally = {.done = 0};
    start_holding(client, 2, &tally);
    cr_assert(stand_held(&gate));
    dispatcher_drain(dispatcher, 10);
    rpc_server_destroy(server);
    atomic_store(&gate.open, true);
    dispatcher_destroy(dispatcher); // answers into what is left of the server
    dispatcher = NULL;
    rpc_client_destroy(client);
    cr_expect_eq(atomic_load(&tally.unavailable), 2);
    static struct rpc_server *kept; // on purpose: see rpc_server_destroy
    kept = server;
    server = NULL;
    cr_expect_not_null(kept);
}

// The healthy answer to a ping; to calls, what was meant for another.
static nng_msg *wrong_answer(const Baro__RpcCalls *calls, const struct seal_key *key,
                             struct arena *arena)
{
    struct parcel parcel;
    parcel_begin(&parcel, 0);
    for (size_t i = 0; i < calls->n_calls; i++) {
        Baro__RpcReply reply;
        Baro__HealthReply health;
        envelope_fill_status(&reply, OK);
        baro__health_reply__init(&health);
        health.serving = true;
        reply.payload.data = protobuf_pack(&health.base, arena, &reply.payload.len);
        reply.call_id = calls->calls[i]->call_id ? calls->calls[i]->call_id + 1 : 0;
        parcel_add(&parcel, parcel_pack(&reply.base, arena));
    }
    if (calls->n_calls == 0)
        parcel_mark_idle(&parcel);
    return parcel_end(&parcel, key);
}

// A server that knows the secret.
static void *answer_wrongly(void *arg)
{
    nng_socket *socket = arg;
    struct seal_key key;
    cr_assert(!failed(seal_key_init(&key, STAND_SECRET)));
    nng_msg *message;
    while (nng_recvmsg(*socket, &message, 0) == 0) {
        SCOPED(arena) *arena = arena_create();
        const Baro__RpcCalls *calls = (const Baro__RpcCalls *)envelope_open(
            &key, message, &baro__rpc_calls__descriptor, arena);
        nng_msg_free(message);
        nng_sendmsg(*socket, wrong_answer(calls, &key, arena), 0);
    }
    return NULL;
}

static void given_fake_server(nng_socket *socket)
{
    nng_listener listener;
    int port;
    cr_assert(!failed(nng_prepare()));
    cr_assert_eq(nng_rep0_open(socket), 0);
    cr_assert_eq(nng_listen(*socket, "tcp://127.0.0.1:0", &listener, 0), 0);
    cr_assert_eq(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port), 0);
    snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", port);
}

Test(rpc, takes_no_answer_that_belongs_to_another_call)
{
    nng_socket socket;
    given_fake_server(&socket);
    pthread_t thread;
    pthread_create(&thread, NULL, answer_wrongly, &socket);
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    struct echo echo = peer_echo(client, "x", 2000, false);
    cr_expect_eq(echo.code, STATUS_UNAVAILABLE);
    cr_expect_eq(echo.reason, REASON_OUTCOME_UNKNOWN);
    rpc_client_destroy(client);
    nng_close(socket);
    pthread_join(thread, NULL);
}

// Calls over a connection that the test plays the server of: what one parcel brought.
struct counter {
    nng_socket socket;
    atomic_int parcels, calls;
};

static void *count_calls(void *arg)
{
    struct counter *counter = arg;
    struct seal_key key;
    cr_assert(!failed(seal_key_init(&key, STAND_SECRET)));
    nng_msg *message;
    while (nng_recvmsg(counter->socket, &message, 0) == 0) {
        SCOPED(arena) *arena = arena_create();
        const Baro__RpcCalls *calls = (const Baro__RpcCalls *)envelope_open(
            &key, message, &baro__rpc_calls__descriptor, arena);
        nng_msg_free(message);
        if (calls->n_calls > 0 && calls->calls[0]->call_id != 0) { // no ping
            atomic_fetch_add(&counter->parcels, 1);
            atomic_fetch_add(&counter->calls, (int)calls->n_calls);
        }
        nng_sendmsg(counter->socket, wrong_answer(calls, &key, arena), 0);
    }
    return NULL;
}

static bool all_done(void *arg)
{
    return atomic_load(&((struct tally *)arg)->done) == 20;
}

Test(rpc, calls_that_start_while_the_client_is_corked_leave_together)
{
    struct counter counter = {.parcels = 0};
    struct tally tally = {.done = 0};
    pthread_t thread;
    given_fake_server(&counter.socket);
    pthread_create(&thread, NULL, count_calls, &counter);
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    peer_wait_ready(client);
    rpc_client_cork(client);
    start_holding(client, 20, &tally);
    cr_expect_eq(atomic_load(&counter.parcels), 0);
    rpc_client_uncork(client);
    cr_expect(stand_wait(all_done, &tally, 5000));
    cr_expect_eq(atomic_load(&counter.parcels), 1);
    cr_expect_eq(atomic_load(&counter.calls), 20);
    rpc_client_destroy(client);
    nng_close(counter.socket);
    pthread_join(thread, NULL);
}

static bool one_done(void *arg)
{
    return atomic_load(&((struct tally *)arg)->done) == 1;
}

// Health is answered although the worker is busy with another call of the same parcel.
Test(rpc, answers_leave_when_they_are_ready_not_with_their_parcel)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    struct tally slow = {.done = 0}, quick = {.done = 0};
    Baro__Empty nothing;
    baro__empty__init(&nothing);
    const struct rpc_request describe = {
        .method = "baro.Health/Describe", .message = &nothing.base, .timeout_ms = 5000};
    peer_wait_ready(client);
    rpc_client_cork(client);
    start_holding(client, 1, &slow);
    rpc_call(client, &describe, count, &quick);
    rpc_client_uncork(client);
    cr_expect(stand_wait(one_done, &quick, 5000));
    cr_assert(stand_held(&gate));
    cr_expect_eq(atomic_load(&slow.done), 0);
    atomic_store(&gate.open, true);
    cr_expect(stand_wait(one_done, &slow, 5000), "the empty parcel brings it");
    cr_expect_eq(atomic_load(&slow.unavailable), 0);
    rpc_client_destroy(client);
}

static struct metric *noise(void)
{
    return metrics_counter("baro_rpc_noise_total", "Messages that were not ours.", NULL);
}

static bool has_noise(void *arg)
{
    return metric_value(noise()) >= *(int *)arg;
}

Test(rpc, refuses_who_does_not_know_the_secret)
{
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *stranger = peer_client(url, "not the secret of these");
    struct echo echo = peer_echo(stranger, "x", 200, false);
    cr_expect_eq(echo.code, STATUS_DEADLINE_EXCEEDED, "it learns nothing");
    int expected = 2; // the call, and the ping
    cr_expect(stand_wait(has_noise, &expected, 5000));
    cr_expect(!rpc_client_ready(stranger));
    cr_expect_eq(atomic_load(&store.begins), 0);
    rpc_client_destroy(stranger);
}

static void send_bytes(const void *bytes, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)rpc_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_expect_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void send_raw_requests(int requests)
{
    nng_socket raw;
    cr_assert_eq(nng_req0_open(&raw), 0);
    cr_assert_eq(nng_dial(raw, url, NULL, 0), 0);
    for (int i = 0; i < requests; i++) {
        nng_msg *message;
        nng_msg_alloc(&message, 0);
        for (int j = 0; j < i; j++)
            nng_msg_append_u16(message, (uint16_t)(i * j * 7919));
        cr_expect_eq(nng_sendmsg(raw, message, 0), 0);
    }
    int expected = requests - 1; // REQ keeps the last only if the others were taken
    cr_expect(stand_wait(has_noise, &expected, 5000));
    nng_close(raw);
}

Test(rpc, drops_and_counts_noise_and_goes_on)
{
    // SP's greeting of a REQ socket, then a length beyond all limits
    static const uint8_t huge[] = {0,    'S',  'P',  0,    0,    0x30, 0,    0,
                                   0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    given_server_at("tcp://127.0.0.1:0");
    struct rpc_client *client = peer_client(url, STAND_SECRET);
    send_bytes("GET / HTTP/1.1\r\n\r\n", 18);
    send_bytes(huge, sizeof(huge));
    send_raw_requests(50);
    struct echo echo = peer_echo(client, "still here", 5000, false);
    cr_expect_str_eq(echo.text, "still here", "%s", echo.message);
    rpc_client_destroy(client);
}

Test(rpc, server_names_what_is_wrong_with_its_address)
{
    const struct rpc_server_options options = {"nonsense", STAND_SECRET, "x", 4, NULL};
    struct rpc_server *none = NULL;
    cr_assert(!failed(nng_prepare()));
    cr_expect(failed(rpc_server_start(&options, &none)));
    cr_expect_null(none);
    rpc_server_destroy(NULL);
}
