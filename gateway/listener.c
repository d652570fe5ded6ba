#include "gateway/listener.h"

#include "lib/base/text.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static struct status resolve(const char *address, struct addrinfo **found)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    bool bracketed = length >= 2 && address[0] == '[' && address[length - 1] == ']';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct status wrong = invalid("BARO_HTTP_ADDRESS", "must be HOST:PORT");
    int64_t port; // getaddrinfo would take 99999 for 34463
    if (length == 0 || length >= sizeof(host) || !text_parse_int64(colon + 1, 0, 65535, &port))
        return wrong;
    snprintf(host, sizeof(host), "%.*s", (int)length - 2 * bracketed, address + bracketed);
    if (getaddrinfo(host, colon + 1, &hints, found) != 0)
        return wrong;
    return OK;
}

static int open_listener(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

struct status listen_on(const char *address, int *listener)
{
    struct addrinfo *found = NULL;
    struct status st = resolve(address, &found);
    if (failed(st))
        return st;
    assert(found);
    int fd = open_listener(found);
    freeaddrinfo(found);
    if (fd < 0)
        return refuse(REASON_UNAVAILABLE, "BARO_HTTP_ADDRESS is taken or not ours");
    *listener = fd;
    return OK;
}

int listener_port(int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}
