// Peers are killed with SIGKILL under full load; whoever survives must go on as if nothing had been.
// An nng that goes deaf or leaks after such a life (1.5 did) does not pass.
//
//     churn [SECONDS_PER_CASE]
//
// Twelve cases: the survivor is REQ, REP, SUB or PUB, over TCP, ipc and TLS. It and its peers are
// processes that this one starts; nng is never used here, because nobody may fork after it. Every
// link between the survivor and a peer has a counter in shared memory. Random peers are killed and
// started again without pause; then, in peace, every link must move once more, all processes of the
// survivor's side must live, and its open descriptors must have stayed few.

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/bus/bus.h"
#include "lib/rpc/client.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/server.h"
#include "tests/support/descriptors.h"
#include "tests/support/identity.h"
#include "tests/support/stand.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PEERS = 4,
    IN_FLIGHT = 32, // of each client
    KILL_EVERY_MS = 25,
    START_MS = 20000,  // for all links to move first, on a crowded machine
    SETTLE_MS = 20000, // and after the last kill
    DESCRIPTORS_MAX = 98,
};

#define TOPIC "churn"

struct shared {
    _Atomic long links[PEERS];
    _Atomic long failures; // calls whose outcome was an error
};

static struct shared *shared;
static const char *transport;
static char urls[PEERS][80]; // where the peers listen; the survivor listens at the first

static char *all_urls(struct arena *arena)
{
    struct text_buffer list;
    text_buffer_init(&list, arena, 256);
    for (int i = 0; i < PEERS; i++)
        text_appendf(&list, "%s%s", i ? "," : "", urls[i]);
    return list.data;
}

static void pause_us(long us)
{
    const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

_Noreturn static void run_until_killed(void)
{
    for (;;)
        pause();
}

static void or_die(struct status st, const char *what)
{
    if (!failed(st))
        return;
    fprintf(stderr, "churn: %s: %s\n", what, st.message ? st.message : "failed");
    _exit(1);
}

// Calls

static int own_index;

// Answers with the peer's number, so that the survivor can count for the right link.
static struct status answer_index(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        call_reply(call, &stand_text(call->arena, text_printf(call->arena, "%d", own_index))->base);
    return OK;
}

static void serve(const char *url)
{
    static const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, answer_index};
    static struct stand_store store;
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    const struct rpc_server_options options = {url, STAND_SECRET, "churn", 256, dispatcher};
    struct rpc_server *server;
    or_die(rpc_server_start(&options, &server), url);
}

struct caller_loop {
    struct rpc_client *client;
    struct rpc_request request;
};

// Counts for the link to whoever answered (own_index < 0), or for our own link.
static void count_and_call_again(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct caller_loop *loop = arg;
    if (failed(st)) {
        atomic_fetch_add(&shared->failures, 1);
    } else {
        int from = reply->payload.len == 3 ? reply->payload.data[2] - '0' : 0; // Text of one digit
        atomic_fetch_add(&shared->links[own_index < 0 ? from : own_index], 1);
    }
    rpc_call(loop->client, &loop->request, count_and_call_again, loop);
}

_Noreturn static void call_for_ever(const char *addresses)
{
    SCOPED(arena) *arena = arena_create();
    const struct rpc_client_options options = {"churn", addresses, STAND_SECRET, 0};
    static struct caller_loop loop;
    loop.client = rpc_client_create(&options);
    loop.request = (struct rpc_request){.method = STAND_METHOD,
                                        .message = &stand_text(arena, "x")->base,
                                        .timeout_ms = 2000,
                                        .idempotent = true};
    for (int i = 0; i < IN_FLIGHT; i++)
        rpc_call(loop.client, &loop.request, count_and_call_again, &loop);
    run_until_killed();
}

_Noreturn static void req_survivor(void)
{
    own_index = -1;
    call_for_ever(all_urls(arena_create()));
}

_Noreturn static void rep_peer(int index)
{
    own_index = index;
    serve(urls[index]);
    run_until_killed();
}

_Noreturn static void rep_survivor(void)
{
    serve(urls[0]);
    run_until_killed();
}

_Noreturn static void req_peer(int index)
{
    own_index = index;
    call_for_ever(urls[0]);
}

// Events

_Noreturn static void publish_for_ever(const char *url, int key)
{
    struct publisher *publisher;
    or_die(publisher_start(url, STAND_SECRET, &publisher), url);
    Baro__Event event, *events[] = {&event};
    Baro__BusMessage message;
    baro__event__init(&event);
    baro__bus_message__init(&message);
    event.key = key;
    message.events = events;
    message.n_events = 1;
    for (;;) {
        for (int i = 0; i < 20; i++)
            publish(publisher, TOPIC, &message);
        pause_us(500);
    }
}

// Counts for the link that the event names (own_index < 0), or for our own.
static void count_event(void *arg, const Baro__BusMessage *message)
{
    (void)arg;
    int64_t key = own_index < 0 ? message->events[0]->key : own_index;
    atomic_fetch_add(&shared->links[key], 1);
}

_Noreturn static void subscribe_for_ever(const char *addresses)
{
    static const char *const topics[] = {TOPIC};
    struct subscriber *subscriber;
    or_die(subscriber_start(addresses, STAND_SECRET, count_event, NULL, &subscriber), addresses);
    subscriber_set_topics(subscriber, topics, COUNT(topics));
    run_until_killed();
}

_Noreturn static void sub_survivor(void)
{
    own_index = -1;
    subscribe_for_ever(all_urls(arena_create()));
}

_Noreturn static void pub_peer(int index)
{
    publish_for_ever(urls[index], index);
}

_Noreturn static void pub_survivor(void)
{
    publish_for_ever(urls[0], 0);
}

_Noreturn static void sub_peer(int index)
{
    own_index = index;
    subscribe_for_ever(urls[0]);
}

// The cases

static const struct churn_case {
    const char *survivor;
    void (*survive)(void);
    void (*peer)(int index);
} cases[] = {
    {"REQ", req_survivor, rep_peer},
    {"REP", rep_survivor, req_peer},
    {"SUB", sub_survivor, pub_peer},
    {"PUB", pub_survivor, sub_peer},
};

static pid_t start(const struct churn_case *row, int index)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (nice(10) == -1) // or the load would keep us from killing
        _exit(1);
    log_init("churn", LOG_LEVEL_OFF);
    or_die(nng_prepare(), "nng");
    if (strcmp(transport, "tls+tcp") == 0)
        identity_take("baro");
    if (index < 0)
        row->survive();
    else
        row->peer(index);
    _exit(1);
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool is_alive(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

// A port that was free a moment ago: peers come back to the same one.
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        exit(1);
    close(fd);
    return ntohs(address.sin_port);
}

static void make_urls(void)
{
    for (int i = 0; i < PEERS; i++)
        if (strcmp(transport, "ipc") == 0)
            snprintf(urls[i], sizeof(urls[i]), "ipc:///tmp/baro-churn-%d-%d", (int)getpid(), i);
        else
            snprintf(urls[i], sizeof(urls[i]), "%s://127.0.0.1:%d", transport, free_port());
}

static void remove_sockets(void)
{
    for (int i = 0; i < PEERS; i++)
        if (strncmp(urls[i], "ipc://", 6) == 0)
            unlink(urls[i] + 6);
}

static long total(void)
{
    long sum = 0;
    for (int i = 0; i < PEERS; i++)
        sum += atomic_load(&shared->links[i]);
    return sum;
}

static int links_moved(const long before[PEERS])
{
    int moved = 0;
    for (int i = 0; i < PEERS; i++)
        moved += atomic_load(&shared->links[i]) > before[i];
    return moved;
}

// Waits until every link has moved from now on; returns how many have.
static int wait_for_links(int timeout_ms)
{
    long before[PEERS];
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    for (int i = 0; i < PEERS; i++)
        before[i] = atomic_load(&shared->links[i]);
    while (links_moved(before) < PEERS && clock_monotonic_us() < until_us)
        pause_us(1000);
    return links_moved(before);
}

static int kill_peers(const struct churn_case *row, pid_t peers[PEERS], double seconds)
{
    int kills = 0;
    int64_t until_us = clock_monotonic_us() + (int64_t)(seconds * 1e6);
    while (clock_monotonic_us() < until_us) {
        int victim = rand() % PEERS;
        stop(peers[victim]);
        peers[victim] = start(row, victim);
        kills++;
        pause_us(KILL_EVERY_MS * US_PER_MS);
    }
    return kills;
}

static bool churn(const struct churn_case *row, double seconds)
{
    pid_t peers[PEERS];
    make_urls();
    *shared = (struct shared){.failures = 0};
    pid_t survivor = start(row, -1);
    for (int i = 0; i < PEERS; i++)
        peers[i] = start(row, i);
    int first = wait_for_links(START_MS);
    long before = total();
    int kills = kill_peers(row, peers, seconds);
    long during = total() - before;
    int64_t quiet_us = clock_monotonic_us();
    int moved = wait_for_links(SETTLE_MS);
    int64_t settled_ms = (clock_monotonic_us() - quiet_us) / US_PER_MS;
    int descriptors = (int)open_descriptors(survivor);
    bool alive = is_alive(survivor);
    for (int i = 0; i < PEERS; i++)
        stop(peers[i]);
    stop(survivor);
    remove_sockets();
    bool passed =
        first == PEERS && moved == PEERS && alive && during > 0 && descriptors <= DESCRIPTORS_MAX;
    printf("%s  %s survives over %s: %3d kills, %7ld messages meanwhile, %ld calls failed, "
           "%d and %d of %d links alive before and %d ms after, %d descriptors%s\n",
           passed ? "ok  " : "FAIL", row->survivor, transport, kills, during,
           atomic_load(&shared->failures), first, moved, PEERS, (int)settled_ms, descriptors,
           alive ? "" : ", it died");
    fflush(stdout);
    return passed;
}

int main(int argc, char **argv)
{
    static const char *const transports[] = {"tcp", "ipc", "tls+tcp"};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.5;
    unsigned seed = (unsigned)clock_monotonic_us();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    printf("seed %u\n", seed);
    fflush(stdout);
    srand(seed);
    int failures = 0;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t j = 0; j < COUNT(transports); j++)
            transport = transports[j], failures += !churn(&cases[i], seconds);
    return failures ? 1 : 0;
}
