// Round trips through the whole of lib/rpc: client, sealed envelopes over TCP, server, dispatcher and
// a handler that echoes 200 bytes. Server and clients are two processes, as in life.
//
//     rpc_echo [SECONDS [tcp|tls+tcp]]      prints round trips per second with 1, 64 and 256 in flight

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/rpc/client.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/server.h"
#include "tests/support/identity.h"
#include "tests/support/stand.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAYLOAD = 200 };

// `slots` calls are kept in flight: each done starts the next until the time is over.
struct run {
    struct rpc_client *client;
    struct rpc_request request;
    _Atomic int64_t done;
    _Atomic int64_t failed;
    _Atomic int slots;
    int64_t until_us;
    pthread_mutex_t lock;
    pthread_cond_t over;
};

static void next(void *arg, struct status st, const Baro__RpcReply *reply)
{
    (void)reply;
    struct run *run = arg;
    atomic_fetch_add(failed(st) ? &run->failed : &run->done, 1);
    if (clock_monotonic_us() < run->until_us) {
        rpc_call(run->client, &run->request, next, run);
        return;
    }
    pthread_mutex_lock(&run->lock);
    if (atomic_fetch_sub(&run->slots, 1) == 1)
        pthread_cond_signal(&run->over);
    pthread_mutex_unlock(&run->lock);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(struct rpc_client *client, const Baro__Text *text, int in_flight,
                    int64_t seconds)
{
    int64_t start_us = clock_monotonic_us();
    double cpu = cpu_seconds();
    struct run run = {
        .client = client,
        .request = {.method = STAND_METHOD, .message = &text->base, .timeout_ms = 5000},
        .slots = in_flight,
        .until_us = start_us + seconds * US_PER_S,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .over = PTHREAD_COND_INITIALIZER,
    };
    for (int i = 0; i < in_flight; i++)
        rpc_call(client, &run.request, next, &run);
    pthread_mutex_lock(&run.lock);
    while (atomic_load(&run.slots) > 0)
        pthread_cond_wait(&run.over, &run.lock);
    pthread_mutex_unlock(&run.lock);
    double took = (double)(clock_monotonic_us() - start_us) / 1e6;
    double done = (double)atomic_load(&run.done);
    printf("%4d in flight: %9.0f round trips/s, %5.1f us client CPU each, %lld failed\n", in_flight,
           done / took, (cpu_seconds() - cpu) / done * 1e6, (long long)atomic_load(&run.failed));
    fflush(stdout);
}

static void prepare(const char *scheme)
{
    if (failed(nng_prepare()))
        exit(1);
    if (strcmp(scheme, "tls+tcp") == 0)
        identity_take("baro");
}

static void serve(const char *scheme, int port_pipe)
{
    static const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, stand_echo};
    static struct stand_store store;
    struct rpc_server *server;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prepare(scheme);
    SCOPED(arena) *arena = arena_create();
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    const char *listen = text_printf(arena, "%s://127.0.0.1:0", scheme);
    const struct rpc_server_options options = {listen, STAND_SECRET, "bench", 4096, dispatcher};
    if (failed(rpc_server_start(&options, &server)))
        exit(1);
    int port = rpc_server_port(server);
    if (write(port_pipe, &port, sizeof(port)) != sizeof(port))
        exit(1);
    pause();
    exit(0);
}

static bool is_ready(void *client)
{
    return rpc_client_ready(client);
}

int main(int argc, char **argv)
{
    int64_t seconds = 2;
    const char *scheme = argc > 2 ? argv[2] : "tcp";
    if (argc > 1 && !text_parse_int64(argv[1], 1, 3600, &seconds))
        return 2;
    int ports[2], port;
    log_init("rpc_echo", LOG_LEVEL_WARN);
    if (pipe(ports) != 0)
        return 1;
    pid_t child = fork(); // before the first use of nng
    if (child == 0)
        serve(scheme, ports[1]);
    if (read(ports[0], &port, sizeof(port)) != sizeof(port))
        return 1;
    prepare(scheme);
    SCOPED(arena) *arena = arena_create();
    char payload[PAYLOAD + 1];
    memset(payload, 'x', PAYLOAD);
    payload[PAYLOAD] = '\0';
    const struct rpc_client_options options = {
        "bench", text_printf(arena, "%s://127.0.0.1:%d", scheme, port), STAND_SECRET, 0};
    struct rpc_client *client = rpc_client_create(&options);
    int status = 1;
    if (stand_wait(is_ready, client, 5000)) {
        static const int in_flight[] = {1, 64, 256};
        for (size_t i = 0; i < COUNT(in_flight); i++)
            measure(client, stand_text(arena, payload), in_flight[i], seconds);
        status = 0;
    }
    rpc_client_destroy(client);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return status;
}
