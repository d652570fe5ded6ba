// Bytes move until neither direction gets on: either its source has nothing or its sink takes nothing,
// and an edge will tell when that changes. A passage that never pauses is watched anew after some
// rounds, so that others have their turn.

#include "lib/rpc/passage.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/rpc/tls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ROUNDS_MAX = 64,
    HANDSHAKE_MS = 5000, // from connecting to proven, and from there to nng's first word
};

void watch_edges(int poller, int fd, struct watch *watch, int operation)
{
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = watch}};
    if (epoll_ctl(poller, operation, fd, &event) != 0)
        abort();
}

static void give_up(struct passage *passage)
{
    passage->dead = true;
}

// The bytes that a call moved: 0 when it would have to wait; the passage ends on an error.
static size_t moved_by(struct passage *passage, ssize_t count)
{
    if (count > 0)
        return (size_t)count;
    if (count == 0 || (errno != EAGAIN && errno != EINTR))
        give_up(passage);
    return 0;
}

static size_t moved_by_tls(struct passage *passage, int count)
{
    if (count > 0)
        return (size_t)count;
    int why = SSL_get_error(passage->ssl, count);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        give_up(passage);
    ERR_clear_error();
    return 0;
}

static size_t read_local(struct passage *passage, void *into)
{
    size_t count = moved_by(passage, recv(passage->local, into, PASSAGE_FLOW_SIZE, 0));
    passage->taken = passage->taken || count > 0;
    return count;
}

static size_t write_local(struct passage *passage, const void *from, size_t size)
{
    return moved_by(passage, send(passage->local, from, size, MSG_NOSIGNAL));
}

static size_t read_net(struct passage *passage, void *into)
{
    return moved_by_tls(passage, SSL_read(passage->ssl, into, PASSAGE_FLOW_SIZE));
}

static size_t write_net(struct passage *passage, const void *from, size_t size)
{
    return moved_by_tls(passage, SSL_write(passage->ssl, from, (int)size));
}

// One step of a direction; false when it does not get on.
static bool move(struct passage *passage, struct passage_flow *flow,
                 size_t (*source)(struct passage *, void *),
                 size_t (*sink)(struct passage *, const void *, size_t))
{
    if (flow->from == flow->to) {
        flow->from = 0;
        flow->to = source(passage, flow->bytes);
    }
    if (flow->from == flow->to || passage->dead)
        return false;
    size_t count = sink(passage, flow->bytes + flow->from, flow->to - flow->from);
    flow->from += count;
    return count > 0;
}

static void carry(struct passage *passage)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool out = move(passage, &passage->out, read_local, write_net);
        bool in = !passage->dead && move(passage, &passage->in, read_net, write_local);
        if (passage->dead || (!out && !in))
            return;
    }
    watch_edges(passage->border->poller, passage->net, &passage->watch, EPOLL_CTL_MOD);
    watch_edges(passage->border->poller, passage->local, &passage->watch, EPOLL_CTL_MOD);
}

void passage_offer(struct passage *passage)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        give_up(passage);
        return;
    }
    passage->local = pair[0];
    watch_edges(passage->border->poller, pair[0], &passage->watch, EPOLL_CTL_ADD);
    if (nng_listener_set_int(passage->into, NNG_OPT_SOCKET_FD, pair[1]) != 0) {
        close(pair[1]);
        give_up(passage);
    }
    passage_move(passage);
}

static void log_refusal(const struct passage *passage)
{
    static struct log_throttle throttle;
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    char host[NI_MAXHOST] = "";
    metric_add(passage->border->refused, 1);
    if (!log_once_per(&throttle, LOG_PERIOD_MS))
        return;
    getpeername(passage->net, (struct sockaddr *)&peer, &size);
    getnameinfo((struct sockaddr *)&peer, size, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    log_warn("no TLS with a peer", log_text("peer", host),
             log_text("reason", tls_problem(passage->ssl)));
}

static void set_time_limit(struct passage *passage)
{
    passage->taken_by_us = clock_monotonic_us() + HANDSHAKE_MS * US_PER_MS;
}

static void shake_hands(struct passage *passage)
{
    ERR_clear_error();
    int result = SSL_do_handshake(passage->ssl);
    if (result == 1) {
        passage->proven = true;
        set_time_limit(passage);
        return;
    }
    int why = SSL_get_error(passage->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return;
    if (why == SSL_ERROR_SSL)
        log_refusal(passage);
    ERR_clear_error();
    give_up(passage);
}

void passage_move(struct passage *passage)
{
    if (!passage->dead && !passage->proven)
        shake_hands(passage);
    if (!passage->dead && passage->local >= 0)
        carry(passage);
}

static void moved(void *arg)
{
    passage_move(arg);
}

// Without delay, and not for ever with a peer whom a cut has left on the other side.
static void set_options(int net)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY,      1    },
        {SOL_SOCKET,  SO_KEEPALIVE,     1    },
        {IPPROTO_TCP, TCP_KEEPIDLE,     10   }, // s
        {IPPROTO_TCP, TCP_KEEPINTVL,    5    }, // s
        {IPPROTO_TCP, TCP_KEEPCNT,      3    },
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 20000}, // ms
    };
    for (size_t i = 0; i < COUNT(options); i++)
        setsockopt(net, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

struct passage *passage_open(const struct passage_border *border, int net, bool serving,
                             nng_listener into)
{
    struct passage *passage = memory_alloc(sizeof(*passage));
    set_options(net);
    passage->watch = (struct watch){moved, passage};
    passage->border = border;
    passage->net = net;
    passage->local = -1;
    passage->into = into;
    passage->ssl = tls_open(net, serving);
    set_time_limit(passage);
    watch_edges(border->poller, net, &passage->watch, EPOLL_CTL_ADD);
    return passage;
}

bool passage_is_over(const struct passage *passage, int64_t now_us)
{
    return passage->dead || (!passage->taken && passage->taken_by_us <= now_us);
}

void passage_close(struct passage *passage)
{
    SSL_shutdown(passage->ssl);
    ERR_clear_error();
    SSL_free(passage->ssl);
    close(passage->net);
    if (passage->local >= 0)
        close(passage->local);
    free(passage);
}
