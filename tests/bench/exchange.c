// Just enough HTTP for a server that we know: answers carry Content-Length and fit the buffer.

#include "tests/bench/exchange.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

_Noreturn void load_fail(const char *message)
{
    fprintf(stderr, "bench-load: %s\n", message);
    exit(2);
}

void exchange_open(struct exchange *exchange, int epoll, const struct sockaddr_in *address,
                   void *context)
{
    int on = 1;
    struct epoll_event event = {.data.ptr = context, .events = EPOLLIN};
    exchange->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (exchange->fd < 0 ||
        connect(exchange->fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        load_fail("cannot connect to the gateway");
    setsockopt(exchange->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(epoll, EPOLL_CTL_ADD, exchange->fd, &event);
}

void exchange_request(struct exchange *exchange, const char *method, const char *path,
                      const char *token, const char *body)
{
    static uint64_t next_key;
    int length = snprintf(exchange->out, sizeof(exchange->out), "%s %s HTTP/1.1\r\nHost: bench\r\n",
                          method, path);
    char *end = exchange->out + sizeof(exchange->out);
    if (token)
        length += snprintf(exchange->out + length, (size_t)(end - exchange->out - length),
                           "Authorization: Bearer %s\r\n", token);
    if (body)
        length += snprintf(exchange->out + length, (size_t)(end - exchange->out - length),
                           "Content-Type: application/json\r\nIdempotency-Key: %" PRIu64 "-%d\r\n"
                           "Prefer: wait=10\r\nContent-Length: %zu\r\n",
                           next_key++, (int)getpid(), strlen(body));
    length += snprintf(exchange->out + length, (size_t)(end - exchange->out - length), "\r\n%s",
                       body ? body : "");
    assert(length < (int)sizeof(exchange->out));
    exchange->to_send = (size_t)length;
    exchange->sent = exchange->received = 0;
}

void exchange_send(struct exchange *exchange, int epoll, void *context)
{
    bool waited = exchange->sent > 0;
    while (exchange->sent < exchange->to_send) {
        ssize_t count = send(exchange->fd, exchange->out + exchange->sent,
                             exchange->to_send - exchange->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN)
            break;
        if (count <= 0)
            return; // closed: the next receive says so
        exchange->sent += (size_t)count;
    }
    bool rest = exchange->sent < exchange->to_send;
    struct epoll_event event = {.data.ptr = context, .events = EPOLLIN | (rest ? EPOLLOUT : 0)};
    if (rest || waited)
        epoll_ctl(epoll, EPOLL_CTL_MOD, exchange->fd, &event);
}

bool exchange_receive(struct exchange *exchange, struct http_answer *answer)
{
    static const char length_header[] = "\r\ncontent-length:";
    ssize_t count = recv(exchange->fd, exchange->in + exchange->received,
                         sizeof(exchange->in) - 1 - exchange->received, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
        return false;
    if (count <= 0) {
        *answer = (struct http_answer){.head = "", .body = ""};
        return true;
    }
    exchange->received += (size_t)count;
    exchange->in[exchange->received] = '\0';

    const char *body = strstr(exchange->in, "\r\n\r\n");
    const char *length = strcasestr(exchange->in, length_header);
    if (!body || !length)
        return false;
    body += strlen("\r\n\r\n");
    size_t body_size = strtoul(length + strlen(length_header), NULL, 10);
    if (exchange->received < (size_t)(body - exchange->in) + body_size)
        return false;
    int status = atoi(exchange->in + strlen("HTTP/1.1 "));
    *answer = (struct http_answer){status, exchange->in, body, body_size};
    return true;
}
