// A peer tells its address over a pipe and then obeys commands from another.

#include "tests/unit/lib/rpc/peer.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/rpc/client.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/server.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *own_name;
static int own_pause_ms;

static struct status answer_name(struct batch *batch)
{
    const struct timespec pause = {own_pause_ms / MS_PER_S,
                                   own_pause_ms % MS_PER_S * 1000L * US_PER_MS};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        call_reply(call, &stand_text(call->arena, own_name)->base);
    return OK;
}

static void obey(int control, struct rpc_server *server, struct dispatcher *dispatcher)
{
    char command;
    while (read(control, &command, 1) == 1) {
        if (command == 's')
            rpc_server_stop_serving(server);
        if (command == 'd')
            dispatcher_drain(dispatcher, 0);
    }
    _exit(0);
}

_Noreturn static void serve(const char *url, int tell, int control)
{
    static const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, answer_name};
    static struct stand_store store;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_init(own_name, LOG_LEVEL_OFF);
    struct dispatcher *dispatcher = stand_dispatcher(&echo, &store, (struct dispatcher_options){0});
    const struct rpc_server_options options = {url, STAND_SECRET, own_name, 512, dispatcher};
    struct rpc_server *server;
    if (failed(nng_prepare()) || failed(rpc_server_start(&options, &server)))
        _exit(1);
    int port = rpc_server_port(server);
    if (write(tell, &port, sizeof(port)) == sizeof(port))
        obey(control, server, dispatcher);
    _exit(1);
}

struct peer peer_start(const char *name, const char *url, int pause_ms)
{
    struct peer peer;
    int tell[2], control[2], port;
    if (strcmp(url, "ipc") == 0)
        snprintf(peer.url, sizeof(peer.url), "ipc:///tmp/baro-%d-%s", (int)getpid(), name);
    else
        snprintf(peer.url, sizeof(peer.url), "%s",
                 strcmp(url, "tcp") == 0 ? "tcp://127.0.0.1:0" : url);
    cr_assert(pipe(tell) == 0 && pipe(control) == 0);
    peer.pid = fork();
    if (peer.pid == 0) {
        own_name = name;
        own_pause_ms = pause_ms;
        close(control[1]);
        serve(peer.url, tell[1], control[0]);
    }
    close(tell[1]);
    close(control[0]);
    cr_assert_eq(read(tell[0], &port, sizeof(port)), (ssize_t)sizeof(port), "%s did not start",
                 name);
    close(tell[0]);
    peer.control = control[1];
    if (strcmp(url, "tcp") == 0)
        snprintf(peer.url, sizeof(peer.url), "tcp://127.0.0.1:%d", port);
    return peer;
}

void peer_command(const struct peer *peer, char command)
{
    cr_assert_eq(write(peer->control, &command, 1), 1);
}

void peer_kill(const struct peer *peer, int signal)
{
    kill(peer->pid, signal);
    if (signal != SIGKILL)
        return;
    waitpid(peer->pid, NULL, 0);
    if (strncmp(peer->url, "ipc://", 6) == 0)
        unlink(peer->url + 6);
}

struct echo peer_echo(struct rpc_client *client, const char *text, int64_t timeout_ms,
                      bool idempotent)
{
    SCOPED(arena) *arena = arena_create();
    const struct rpc_request request = {
        .method = STAND_METHOD,
        .message = &stand_text(arena, text)->base,
        .timeout_ms = timeout_ms,
        .idempotent = idempotent,
    };
    ProtobufCMessage *reply = NULL;
    struct status st = rpc_call_wait(client, &request, &baro__text__descriptor, arena, &reply);
    struct echo echo = {.code = (int)st.code, .reason = (int)st.reason};
    if (reply)
        snprintf(echo.text, sizeof(echo.text), "%s", ((Baro__Text *)reply)->value);
    snprintf(echo.message, sizeof(echo.message), "%s", st.message ? st.message : "");
    return echo;
}

struct rpc_client *peer_client(const char *addresses, const char *secret)
{
    const struct rpc_client_options options = {"stand", addresses, secret, 0};
    log_init("test", LOG_LEVEL_OFF);
    cr_assert(!failed(nng_prepare()));
    return rpc_client_create(&options);
}

static bool is_ready(void *client)
{
    return rpc_client_ready(client);
}

void peer_wait_ready(struct rpc_client *client)
{
    cr_assert(stand_wait(is_ready, client, 5000));
}
