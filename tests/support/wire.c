#include "tests/support/wire.h"

#include "lib/base/clock.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_TIMEOUT_MS = 5000 };

int wire_open(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
    int on = 1; // what is sent in pieces arrives in pieces
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s",
                 strerror(errno));
    return fd;
}

void wire_send(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        size -= (size_t)sent;
    }
}

void wire_say(int fd, const char *text)
{
    wire_send(fd, text, strlen(text));
}

// Reads what is there, at most size bytes; 0 at the end, on an error, and when time is up.
static size_t read_some(int fd, char *to, size_t size, int64_t until_us, int flags)
{
    int64_t left_us = until_us - clock_monotonic_us();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (left_us <= 0 || poll(&ready, 1, (int)(left_us / US_PER_MS) + 1) <= 0)
        return 0;
    ssize_t got = recv(fd, to, size, flags);
    return got > 0 ? (size_t)got : 0;
}

// Looks before it takes, so that nothing of a next answer is taken.
static bool read_head(int fd, struct wire_reply *reply, int64_t until_us)
{
    size_t length = 0;
    while (length + 1 < sizeof(reply->head)) {
        char *from = reply->head + length;
        size_t seen = read_some(fd, from, sizeof(reply->head) - 1 - length, until_us, MSG_PEEK);
        if (seen == 0)
            return false;
        from[seen] = '\0';
        const char *end = strstr(reply->head, "\r\n\r\n");
        size_t wanted = end ? (size_t)(end + 4 - from) : seen;
        length += read_some(fd, from, wanted, until_us, 0);
        reply->head[length] = '\0';
        if (end)
            return true;
    }
    return false;
}

struct wire_reply *wire_read(int fd)
{
    static struct wire_reply reply;
    int64_t until_us = clock_monotonic_us() + READ_TIMEOUT_MS * US_PER_MS;
    if (reply.json)
        json_decref(reply.json);
    reply.status = 0;
    reply.json = NULL;
    reply.head[0] = reply.body[0] = '\0';
    int status;
    do {
        if (!read_head(fd, &reply, until_us) || strncmp(reply.head, "HTTP/1.1 ", 9) != 0)
            return &reply;
        status = (int)strtol(reply.head + 9, NULL, 10);
    } while (status == 100);
    size_t size = strtoul(wire_header(&reply, "Content-Length"), NULL, 10), length = 0;
    cr_assert_lt(size, sizeof(reply.body));
    while (length < size) {
        size_t got = read_some(fd, reply.body + length, size - length, until_us, 0);
        if (got == 0)
            return &reply;
        length += got;
        reply.body[length] = '\0';
    }
    reply.status = status;
    reply.json = json_loads(reply.body, 0, NULL);
    return &reply;
}

bool wire_is_closed(int fd, int timeout_ms)
{
    char rest[4096];
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    for (;;) {
        int64_t left_us = until_us - clock_monotonic_us();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (left_us <= 0 || poll(&ready, 1, (int)(left_us / US_PER_MS) + 1) <= 0)
            return false;
        if (recv(fd, rest, sizeof(rest), 0) <= 0)
            return true;
    }
}

struct wire_reply *wire_call(int port, const char *method, const char *target, const char *headers,
                             const char *body)
{
    char head[16384];
    int fd = wire_open(port);
    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: shop.example\r\n%s", method, target,
             headers);
    wire_say(fd, head);
    if (body) {
        snprintf(head, sizeof(head), "Content-Length: %zu\r\n", strlen(body));
        wire_say(fd, head);
    }
    wire_say(fd, "\r\n");
    wire_say(fd, body ? body : "");
    struct wire_reply *reply = wire_read(fd);
    close(fd);
    return reply;
}

const char *wire_header(const struct wire_reply *reply, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);
    value[0] = '\0';
    for (const char *line = strstr(reply->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':')
            continue;
        const char *from = line + 3 + length;
        from += strspn(from, " ");
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(from, "\r"), from);
        break;
    }
    return value;
}

static const char *member(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

const char *wire_code(const struct wire_reply *reply)
{
    return member(reply->json, "code");
}

const char *wire_field(const struct wire_reply *reply)
{
    return member(json_array_get(json_object_get(reply->json, "errors"), 0), "field");
}
