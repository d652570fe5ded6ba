// How a request walks through libmicrohttpd: `request_line` makes it, `handle` is called for its
// head, for each piece of its body, at its end, and once more after a resume; `completed` takes it
// back. An answer to a request that has a body waits until the body has been read and thrown away,
// so that the client gets it and the connection can be used again; only what is too large or not to
// be trusted is cut off.

#include "gateway/http.h"

#include "gateway/admission.h"
#include "gateway/calls.h"
#include "gateway/http_loop.h"
#include "gateway/listener.h"
#include "gateway/streams.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEADERS_MAX = 16 * 1024,
    DISCARD_MAX = 1024 * 1024, // of a body that is refused
    STRICT = 1,                // libmicrohttpd: "suitable for highly loaded public servers"
};

struct http_server {
    struct gateway *gateway;
    int listener;
    struct http_loop **loops;
    size_t loop_count;
    struct metric *open;
};

static void *request_line(void *arg, const char *target, struct MHD_Connection *connection)
{
    const struct http_server *server = arg;
    struct request *request = request_acquire(server->gateway, target, connection);
    connection_expect_head(server->gateway->connections, request_connection(request));
    return request;
}

static enum MHD_Result send_now(struct request *request)
{
    request->phase = PHASE_ANSWERED;
    connection_restart(request->gateway->connections, request_connection(request));
    return answer_send(request);
}

static enum MHD_Result take_head(struct request *request, const char *method, const char *version)
{
    request->phase = PHASE_BODY;
    connection_expect_body(request->gateway->connections, request_connection(request));
    admit(request, method, version);
    return request->answer.status && request->answer.close ? send_now(request) : MHD_YES;
}

// Keeps a piece of the body, or throws it away when the answer is known already.
static enum MHD_Result take_piece(struct request *request, const char *piece, size_t *size)
{
    struct text_buffer *body = &request->body;
    request->discarded += request->answer.status ? *size : 0;
    if (!request->answer.status && body->length + *size > BODY_MAX) {
        request->answer.close = true;
        answer_problem(request, invalid("body", "is larger than 64 KiB"), NULL, 0);
    }
    if (!request->answer.status)
        text_append_n(body, piece, *size);
    *size = 0;
    return request->discarded <= DISCARD_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_end(struct request *request)
{
    if (request->answer.status)
        return send_now(request);
    connection_pause(request_connection(request));
    return call_begin(request) ? send_now(request) : MHD_YES;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *piece,
                              size_t *piece_size, void **context)
{
    (void)arg, (void)connection, (void)url;
    struct request *request = *context;
    assert(request->phase != PHASE_CALLING); // a suspended connection is not handled
    if (request->phase == PHASE_HEAD)
        return take_head(request, method, version);
    if (request->phase == PHASE_ANSWERED)
        return send_now(request);
    return *piece_size ? take_piece(request, piece, piece_size) : take_end(request);
}

static void completed(void *arg, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode how)
{
    (void)arg, (void)connection, (void)how;
    struct request *request = *context;
    if (!request)
        return;
    assert(request->phase != PHASE_CALLING);
    connection_restart(request->gateway->connections, request_connection(request));
    stream_close(request->stream);
    request_release(request);
    *context = NULL;
}

static void connection_changed(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    const struct http_server *server = arg;
    struct connections *connections = server->gateway->connections;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *context = connection_open(connections, fd);
    } else {
        connection_close(connections, *context);
    }
    metric_add(server->open, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

static void log_library(void *arg, const char *format, va_list args)
{
    (void)arg;
    char line[256];
    vsnprintf(line, sizeof(line), format, args);
    log_debug("libmicrohttpd", log_text("message", line));
}

// Targets stay as they were sent: paths are matched raw and queries decoded once, by query.c.
static size_t leave_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

// Each loop has a daemon of its own; they share the port, each through its own descriptor, which the
// daemon closes.
static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    const struct gateway_settings *settings = server->gateway->settings;
    unsigned int idle_s = (unsigned int)((settings->connection_limits.rest_ms + 999) / 1000);
    unsigned int share = (unsigned int)((settings->connections_max + settings->http_threads - 1) /
                                        settings->http_threads);
    // clang-format off
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ITC | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
        0, NULL, NULL, handle, server,
        MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, dup(server->listener),
        MHD_OPTION_CONNECTION_LIMIT, share,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)settings->connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, (int)STRICT,
        MHD_OPTION_URI_LOG_CALLBACK, request_line, server,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
    // clang-format on
}

// What the requests of one turn ask of the services leaves together. The clients go only after a turn
// that saw `refusing`.
static bool cork_calls(void *arg)
{
    struct gateway *gateway = arg;
    if (atomic_load(&gateway->refusing))
        return false;
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        rpc_client_cork(gateway->services[i]);
    return true;
}

static void uncork_calls(void *arg)
{
    const struct gateway *gateway = arg;
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        rpc_client_uncork(gateway->services[i]);
}

static bool start_loops(struct http_server *server)
{
    size_t count = (size_t)server->gateway->settings->http_threads;
    const struct http_round round = {cork_calls, uncork_calls, server->gateway};
    server->loops = memory_array(count, sizeof(*server->loops));
    while (server->loop_count < count) {
        struct MHD_Daemon *daemon = start_daemon(server);
        if (!daemon)
            return false;
        server->loops[server->loop_count++] = http_loop_start(daemon, round);
    }
    return true;
}

struct status http_server_start(struct gateway *gateway, struct http_server **server)
{
    int listener;
    struct status st = listen_on(gateway->settings->http_address, &listener);
    if (failed(st))
        return st;
    struct http_server *made = memory_alloc(sizeof(*made));
    made->gateway = gateway;
    made->listener = listener;
    made->open = metrics_gauge("baro_http_connections", "Connections that are open", NULL);
    if (!start_loops(made)) {
        http_server_stop(made);
        return refuse(REASON_UNAVAILABLE, "HTTP cannot be served");
    }
    *server = made;
    return OK;
}

int http_server_port(const struct http_server *server)
{
    return listener_port(server->listener);
}

void http_server_quiesce(struct http_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++)
        http_loop_quiesce(server->loops[i]);
    shutdown(server->listener, SHUT_RDWR); // for all descriptors of it, at once
}

void http_server_go_round(struct http_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++)
        http_loop_go_round(server->loops[i]);
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->loop_count; i++)
        http_loop_stop(server->loops[i]);
    close(server->listener);
    free(server->loops);
    free(server);
}
