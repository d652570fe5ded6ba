#include "lib/service/ops.h"

#include "lib/base/macros.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/version.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct ops_server {
    struct MHD_Daemon *daemon;
    const atomic_bool *ready;
};

struct page {
    unsigned int status;
    const char *type;
};

static struct page write_livez(const struct ops_server *ops, struct text_buffer *body)
{
    (void)ops;
    text_append(body, "ok\n");
    return (struct page){MHD_HTTP_OK, "text/plain"};
}

static struct page write_readyz(const struct ops_server *ops, struct text_buffer *body)
{
    bool ready = atomic_load(ops->ready);
    text_append(body, ready ? "ready\n" : "not serving\n");
    return (struct page){ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain"};
}

static struct page write_metrics(const struct ops_server *ops, struct text_buffer *body)
{
    (void)ops;
    metrics_write(body);
    return (struct page){MHD_HTTP_OK, "text/plain; version=0.0.4"};
}

static struct page write_version(const struct ops_server *ops, struct text_buffer *body)
{
    (void)ops;
    text_append(body, BARO_VERSION "\n");
    return (struct page){MHD_HTTP_OK, "text/plain"};
}

static const struct {
    const char *path;
    struct page (*write)(const struct ops_server *ops, struct text_buffer *body);
} PAGES[] = {
    {"/livez",   write_livez  },
    {"/readyz",  write_readyz },
    {"/metrics", write_metrics},
    {"/version", write_version},
};

static enum MHD_Result send_page(struct MHD_Connection *connection, struct page page,
                                 const struct text_buffer *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_copy(body->length, body->data);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page.type);
    enum MHD_Result result = MHD_queue_response(connection, page.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    (void)version;
    (void)upload;
    (void)request;
    if (*upload_size)
        return MHD_NO;
    SCOPED(arena) *arena = arena_create();
    struct text_buffer body;
    struct page page = {MHD_HTTP_NOT_FOUND, "text/plain"};

    text_buffer_init(&body, arena, 4096);
    for (size_t i = 0; i < COUNT(PAGES); i++)
        if (strcmp(path, PAGES[i].path) == 0 && strcmp(method, MHD_HTTP_METHOD_GET) == 0)
            page = PAGES[i].write(context, &body);
    return send_page(connection, page, &body);
}

// "127.0.0.1:7301" -> an address that bind takes; the host must be numeric.
static bool parse_address(const char *listen, struct sockaddr_storage *address)
{
    const char *colon = strrchr(listen, ':');
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[64];

    if (!colon || (size_t)(colon - listen) >= sizeof(host))
        return false;
    memcpy(host, listen, (size_t)(colon - listen));
    host[colon - listen] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return false;
    memcpy(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

struct status ops_server_start(const char *listen, const atomic_bool *ready,
                               struct ops_server **ops)
{
    struct sockaddr_storage address = {0};

    *ops = NULL;
    if (strcmp(listen, "off") == 0)
        return OK;
    if (!parse_address(listen, &address))
        return invalid("BARO_OPS_LISTEN",
                       "want a numeric address and port, such as 127.0.0.1:7300, or off");

    struct ops_server *made = memory_alloc(sizeof(*made));
    made->ready = ready;
    made->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, made,
                                    MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                                    MHD_OPTION_CONNECTION_LIMIT, 64U, MHD_OPTION_CONNECTION_TIMEOUT,
                                    10U, MHD_OPTION_END);
    if (!made->daemon) {
        free(made);
        return refuse(REASON_UNAVAILABLE, "the address of BARO_OPS_LISTEN is in use or not ours");
    }
    *ops = made;
    return OK;
}

void ops_server_stop(struct ops_server *ops)
{
    if (!ops)
        return;
    MHD_stop_daemon(ops->daemon);
    free(ops);
}
