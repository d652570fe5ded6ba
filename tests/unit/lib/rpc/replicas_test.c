// Several replicas, each a process: the load is shared, and whoever dies, hangs or drains is left out.
// Calls in a row go to one replica, so where both must have some, there is a pause between them, and a
// handler that takes so long that the first has not answered.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/rpc/client.h"
#include "tests/support/stand.h"
#include "tests/unit/lib/rpc/peer.h"

#include <criterion/criterion.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { GROUP_MAX = 256, GROUP_MS = 200, BUSY_MS = 250 };

static char both[160];

static struct rpc_client *given_client_of(const struct peer *a, const struct peer *b)
{
    snprintf(both, sizeof(both), "%s,%s", a->url, b->url);
    struct rpc_client *client = peer_client(both, STAND_SECRET);
    peer_wait_ready(client);
    return client;
}

struct watch {
    struct rpc_client *client;
    const char *name;
};

static bool answers(void *arg)
{
    struct watch *watch = arg;
    return strcmp(peer_echo(watch->client, "who", 1000, false).text, watch->name) == 0;
}

// Both are connected.
static void wait_for_both(struct rpc_client *client)
{
    struct watch a = {client, "a"}, b = {client, "b"};
    cr_assert(stand_wait(answers, &a, 5000) && stand_wait(answers, &b, 5000));
}

struct tally {
    atomic_int done, ok, unknown, other;
    atomic_int a, b; // who answered
};

static void count(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct tally *tally = arg;
    SCOPED(arena) *arena = arena_create();
    if (!failed(st)) {
        const ProtobufCMessage *text = protobuf_unpack(&baro__text__descriptor, reply->payload.len,
                                                       reply->payload.data, arena);
        const char *who = text ? ((const Baro__Text *)text)->value : "";
        atomic_fetch_add(&tally->ok, 1);
        atomic_fetch_add(strcmp(who, "a") == 0 ? &tally->a : &tally->b, 1);
    } else if (st.code == STATUS_UNAVAILABLE && st.reason == REASON_OUTCOME_UNKNOWN) {
        atomic_fetch_add(&tally->unknown, 1);
    } else {
        atomic_fetch_add(&tally->other, 1);
    }
    atomic_fetch_add(&tally->done, 1);
}

static void start_calls(struct rpc_client *client, int calls, bool idempotent, struct tally *tally)
{
    SCOPED(arena) *arena = arena_create();
    const struct rpc_request request = {.method = STAND_METHOD,
                                        .message = &stand_text(arena, "x")->base,
                                        .timeout_ms = 8000,
                                        .idempotent = idempotent};
    for (int i = 0; i < calls; i++)
        rpc_call(client, &request, count, tally);
}

// Half of them to one replica, and while it is busy with them half to the other, if both are called.
static void start_calls_at_both(struct rpc_client *client, int calls, bool idempotent,
                                struct tally *tally)
{
    const struct timespec pause = {.tv_nsec = (GROUP_MS + 20) * 1000L * US_PER_MS};
    start_calls(client, calls / 2, idempotent, tally);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    start_calls(client, calls / 2, idempotent, tally);
}

struct finish {
    struct tally *tally;
    int calls;
};

static bool all_done(void *arg)
{
    struct finish *finish = arg;
    return atomic_load(&finish->tally->done) >= finish->calls;
}

static void wait_for_all(struct tally *tally, int calls)
{
    struct finish finish = {tally, calls};
    cr_assert(stand_wait(all_done, &finish, 10000));
    cr_expect_eq(atomic_load(&tally->done), calls, "once each");
}

// Also where each would get its share.
static bool only_b_answers(void *client)
{
    struct tally tally = {.done = 0};
    start_calls_at_both(client, 20, false, &tally);
    wait_for_all(&tally, 20);
    return atomic_load(&tally.b) == 20;
}

Test(replicas, share_the_load)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "ipc", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    struct tally tally = {.done = 0};
    start_calls_at_both(client, 40, false, &tally);
    wait_for_all(&tally, 40);
    cr_expect_eq(atomic_load(&tally.a), 20);
    cr_expect_eq(atomic_load(&tally.b), 20);
    rpc_client_destroy(client);
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}

Test(replicas, get_calls_in_groups_that_can_share_a_batch)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "ipc", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    struct tally tally = {.done = 0};
    start_calls(client, GROUP_MAX + 100, false, &tally);
    wait_for_all(&tally, GROUP_MAX + 100);
    int more =
        atomic_load(&tally.a) > GROUP_MAX / 2 ? atomic_load(&tally.a) : atomic_load(&tally.b);
    cr_expect_eq(more, GROUP_MAX);
    cr_expect_eq(atomic_load(&tally.ok), GROUP_MAX + 100);
    rpc_client_destroy(client);
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}

struct roll {
    struct arena *arena;
    pthread_mutex_t lock;
    size_t answers;
    bool a, b;
};

static void call_the_roll(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct roll *roll = arg;
    pthread_mutex_lock(&roll->lock);
    const ProtobufCMessage *payload =
        failed(st) ? NULL
                   : protobuf_unpack(&baro__observation__descriptor, reply->payload.len,
                                     reply->payload.data, roll->arena);
    const Baro__Observation *seen = (const Baro__Observation *)payload;
    roll->a |= seen && strcmp(seen->instance, "a") == 0;
    roll->b |= seen && strcmp(seen->instance, "b") == 0;
    roll->answers++;
    pthread_mutex_unlock(&roll->lock);
}

static bool both_have_answered(void *arg)
{
    struct roll *roll = arg;
    pthread_mutex_lock(&roll->lock);
    bool answered = roll->answers == 2;
    pthread_mutex_unlock(&roll->lock);
    return answered;
}

Test(replicas, are_each_called_once_when_each_is_meant)
{
    struct peer a = peer_start("a", "tcp", 0), b = peer_start("b", "ipc", 0);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    SCOPED(arena) *arena = arena_create();
    struct roll roll = {.arena = arena};
    pthread_mutex_init(&roll.lock, NULL);
    Baro__Empty nothing;
    baro__empty__init(&nothing);
    const struct rpc_request request = {
        .method = "baro.Health/Observe", .message = &nothing.base, .timeout_ms = 5000};
    cr_assert_eq(rpc_call_each(client, &request, call_the_roll, &roll), 2);
    cr_assert(stand_wait(both_have_answered, &roll, 10000));
    cr_expect(roll.a && roll.b);
    rpc_client_destroy(client);
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}

Test(replicas, may_answer_while_the_client_goes)
{
    enum { ROUNDS = 40, CALLS = GROUP_MAX + 50 };
    struct peer a = peer_start("a", "tcp", 0), b = peer_start("b", "tcp", 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct rpc_client *client = given_client_of(&a, &b);
        struct tally tally = {.done = 0};
        start_calls(client, CALLS, false, &tally);
        rpc_client_destroy(client);
        cr_expect_eq(atomic_load(&tally.done), CALLS);
    }
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}

Test(replicas, that_die_leave_idempotent_calls_to_the_others)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "tcp", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    struct tally tally = {.done = 0};
    start_calls_at_both(client, 60, true, &tally);
    peer_kill(&a, SIGKILL);
    wait_for_all(&tally, 60);
    cr_expect_eq(atomic_load(&tally.ok), 60);
    cr_expect_gt(atomic_load(&tally.b), 30, "more than its own");
    cr_expect(only_b_answers(client), "the survivor takes all");
    rpc_client_destroy(client);
    peer_kill(&b, SIGKILL);
}

Test(replicas, that_die_leave_other_calls_with_an_unknown_outcome)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "tcp", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    struct tally tally = {.done = 0};
    start_calls_at_both(client, 60, false, &tally);
    peer_kill(&a, SIGKILL);
    wait_for_all(&tally, 60);
    cr_expect_gt(atomic_load(&tally.unknown), 0);
    cr_expect_eq(atomic_load(&tally.ok) + atomic_load(&tally.unknown), 60);
    rpc_client_destroy(client);
    peer_kill(&b, SIGKILL);
}

Test(replicas, that_hang_get_no_calls_and_lose_those_that_may_be_repeated)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "tcp", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    peer_kill(&a, SIGSTOP);
    struct tally tally = {.done = 0};
    int64_t start_us = clock_monotonic_us();
    start_calls_at_both(client, 20, true, &tally);
    wait_for_all(&tally, 20);
    cr_expect_eq(atomic_load(&tally.ok), 20);
    cr_expect_lt(clock_monotonic_us() - start_us, 5 * US_PER_S, "long before the deadline");
    cr_expect(only_b_answers(client), "the survivor takes all");
    peer_kill(&a, SIGCONT);
    wait_for_both(client);
    rpc_client_destroy(client);
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}

Test(replicas, that_stop_serving_are_chosen_no_more)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "tcp", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    peer_command(&a, 's');
    cr_expect(stand_wait(only_b_answers, client, 5000));
    rpc_client_destroy(client);
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}

static atomic_int turned_away;

static void note_gone(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)pipe, (void)event, (void)arg;
    atomic_fetch_add(&turned_away, 1);
}

static bool is_turned_away_again(void *arg)
{
    (void)arg;
    return atomic_load(&turned_away) >= 2;
}

// A publisher took the address over: no peer for who wants a server, however often it is dialed.
Test(replicas, whose_address_somebody_else_has_are_gone)
{
    struct peer a = peer_start("a", "tcp", 0);
    struct rpc_client *client = peer_client(a.url, STAND_SECRET);
    nng_socket other;
    peer_wait_ready(client);
    cr_assert_str_eq(peer_echo(client, "who", 1000, false).text, "a");
    peer_kill(&a, SIGKILL);
    cr_assert_eq(nng_pub0_open(&other), 0);
    cr_assert_eq(nng_pipe_notify(other, NNG_PIPE_EV_REM_POST, note_gone, NULL), 0);
    cr_assert_eq(nng_listen(other, a.url, NULL, 0), 0);
    cr_assert(stand_wait(is_turned_away_again, NULL, 10000));
    cr_expect_str_eq(peer_echo(client, "who", 3000, false).message, "no replica is reachable");
    nng_close(other);
    rpc_client_destroy(client);
}

Test(replicas, that_drain_refuse_calls_which_the_others_answer)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "tcp", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    peer_command(&a, 'd');
    cr_assert(stand_wait(only_b_answers, client, 5000));
    cr_expect(only_b_answers(client), "sent again although not idempotent: nothing had happened");
    cr_expect_gt(
        metric_value(metrics_counter("baro_rpc_client_retries_total", "", "service=\"stand\"")), 0);
    rpc_client_destroy(client);
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}

Test(replicas, that_all_refuse_are_asked_no_more_often_than_the_budget_allows)
{
    struct peer a = peer_start("a", "tcp", BUSY_MS), b = peer_start("b", "tcp", BUSY_MS);
    struct rpc_client *client = given_client_of(&a, &b);
    wait_for_both(client);
    peer_command(&a, 'd');
    peer_command(&b, 'd');
    struct tally tally = {.done = 0};
    for (int i = 1; i <= 10; i++) {
        start_calls(client, 100, false, &tally);
        wait_for_all(&tally, 100 * i);
    }
    int64_t retries =
        metric_value(metrics_counter("baro_rpc_client_retries_total", "", "service=\"stand\""));
    cr_expect(retries >= 50 && retries <= 100 + 1000 / 10 + 10, "%d retries", (int)retries);
    rpc_client_destroy(client);
    peer_kill(&a, SIGKILL);
    peer_kill(&b, SIGKILL);
}
