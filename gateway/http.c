// How a request walks through libmicrohttpd: `request_line` makes it, `handle` is called for its
// head, for each piece of its body, at its end, and once more after a resume; `completed` takes it
// back. An answer to a request that has a body waits until the body has been read and thrown away,
// so that the client gets it and the connection can be used again; only what is too large or not to
// be trusted is cut off.

#include "gateway/http.h"

#include "gateway/admission.h"
#include "gateway/calls.h"
#include "lib/base/clock.h"
#include "lib/base/metrics.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADERS_MAX = 32 * 1024,
    DISCARD_MAX = 1024 * 1024, // of a body that is refused
    STRICT = 1,                // libmicrohttpd: "suitable for highly loaded public servers"
    BACKLOG = 1024,
};

struct http_server {
    struct gateway *gateway;
    struct MHD_Daemon *daemon;
    struct metric *open;
};

static struct connection *connection_of(const struct request *request)
{
    return MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

static void *request_line(void *arg, const char *target, struct MHD_Connection *connection)
{
    const struct http_server *server = arg;
    return request_acquire(server->gateway, target, connection);
}

static enum MHD_Result send_now(struct request *request)
{
    request->phase = PHASE_ANSWERED;
    connection_restart(request->gateway->connections, connection_of(request));
    return answer_send(request);
}

static enum MHD_Result take_head(struct request *request, const char *method, const char *version)
{
    request->phase = PHASE_BODY;
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
    connection_pause(connection_of(request));
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
    connection_restart(request->gateway->connections, connection_of(request));
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

// "127.0.0.1:8080", "[::1]:8080", "localhost:0"
static struct status resolve(const char *address, struct addrinfo **found)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    const char *from = address;
    if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
        from++;
        length -= 2;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct status wrong = invalid("BARO_HTTP_ADDRESS", "must be HOST:PORT");
    if (length == 0 || length >= sizeof(host))
        return wrong;
    snprintf(host, sizeof(host), "%.*s", (int)length, from);
    if (getaddrinfo(host, colon + 1, &hints, found) != 0)
        return wrong;
    return OK;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, const struct addrinfo *address)
{
    const struct gateway_settings *settings = server->gateway->settings;
    unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                         MHD_USE_ERROR_LOG | (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    unsigned int threads = settings->http_threads > 1 ? (unsigned int)settings->http_threads : 0;
    unsigned int idle_s = (unsigned int)((settings->request_deadline_ms + 999) / 1000);
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, server,                                 //
                            MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,                        //
                            MHD_OPTION_SOCK_ADDR, address->ai_addr,                               //
                            MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,                               //
                            MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned int)BACKLOG,                //
                            MHD_OPTION_THREAD_POOL_SIZE, threads,                                 //
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned int)settings->connections_max, //
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                            (unsigned int)settings->connections_per_address,          //
                            MHD_OPTION_CONNECTION_TIMEOUT, idle_s,                    //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,  //
                            MHD_OPTION_CLIENT_DISCIPLINE_LVL, (int)STRICT,            //
                            MHD_OPTION_URI_LOG_CALLBACK, request_line, server,        //
                            MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,        //
                            MHD_OPTION_NOTIFY_COMPLETED, completed, server,           //
                            MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server, //
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

struct status http_server_start(struct gateway *gateway, struct http_server **server)
{
    struct addrinfo *address;
    struct status st = resolve(gateway->settings->http_address, &address);
    if (failed(st))
        return st;
    struct http_server *made = calloc(1, sizeof(*made));
    assert(made);
    made->gateway = gateway;
    made->open = metrics_gauge("baro_http_connections", "Connections that are open", NULL);
    made->daemon = start_daemon(made, address);
    freeaddrinfo(address);
    if (!made->daemon) {
        free(made);
        return refuse(REASON_UNAVAILABLE, "BARO_HTTP_ADDRESS cannot be listened on");
    }
    *server = made;
    return OK;
}

int http_server_port(const struct http_server *server)
{
    return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void http_server_quiesce(struct http_server *server)
{
    int listener = MHD_quiesce_daemon(server->daemon);
    if (listener >= 0)
        close(listener);
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon);
    free(server);
}
