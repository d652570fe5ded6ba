// One thread and one lock of the process for all tunnels; the thread holds the lock but while it waits.
//
// Descriptors are watched for edges, so a passage is moved until neither direction gets on: either its
// source has nothing or its sink takes nothing, and an edge will tell when that changes. One that
// never pauses is watched anew after some rounds, so that others have their turn. What dies is buried
// after the events of a turn, of which one may still name it.

#include "lib/rpc/tunnel.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"
#include "lib/rpc/tls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum {
    FLOW_SIZE = 32 * 1024,
    ROUNDS_MAX = 64,
    EVENTS_MAX = 64,
    TICK_MS = 20,        // while something waits for its time
    HANDSHAKE_MS = 5000, // from connecting to proven
    UNPROVEN_MAX = 128,  // of one listener: more are turned away
    PAUSE_MIN_MS = 50,
    PAUSE_MAX_MS = 1000,
    LOG_PERIOD_MS = 10 * 1000,
};

// What is called when epoll has something for a descriptor.
struct watch {
    void (*moved)(void *arg);
    void *arg;
};

struct flow {
    unsigned char bytes[FLOW_SIZE];
    size_t from, to;
};

// One connection: the network on one side, nng on the other.
struct passage {
    struct tunnel *tunnel;
    struct watch watch;
    int net, local; // local: -1 until the peer is proven
    SSL *ssl;
    int64_t proven_by_us;
    bool dead;
    struct flow out, in; // to the network, from it
    struct passage *next;
};

struct tunnel {
    nng_listener into;
    struct watch watch;
    int listening; // -1: it dials
    int port;
    struct sockaddr_storage peer;
    socklen_t peer_size;
    int64_t dial_at_us, pause_ms;
    struct passage *passages;
    bool starved; // had no descriptor for one who knocked: no edge will tell of them again
    bool closing, closed;
    struct tunnel *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t closed = PTHREAD_COND_INITIALIZER;
static struct tunnel *tunnels;
static int poller = -1, bell = -1;
static struct metric *refused;

static void watch_edges(int fd, struct watch *watch, int operation)
{
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = watch}};
    if (epoll_ctl(poller, operation, fd, &event) != 0)
        abort();
}

// --- passages ----------------------------------------------------------------------------------

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
    return moved_by(passage, recv(passage->local, into, FLOW_SIZE, 0));
}

static size_t write_local(struct passage *passage, const void *from, size_t size)
{
    return moved_by(passage, send(passage->local, from, size, MSG_NOSIGNAL));
}

static size_t read_net(struct passage *passage, void *into)
{
    return moved_by_tls(passage, SSL_read(passage->ssl, into, FLOW_SIZE));
}

static size_t write_net(struct passage *passage, const void *from, size_t size)
{
    return moved_by_tls(passage, SSL_write(passage->ssl, from, (int)size));
}

// One step of a direction; false when it does not get on.
static bool move(struct passage *passage, struct flow *flow,
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
    watch_edges(passage->net, &passage->watch, EPOLL_CTL_MOD);
    watch_edges(passage->local, &passage->watch, EPOLL_CTL_MOD);
}

// nng gets its end; from now on bytes pass.
static void open_to_nng(struct passage *passage)
{
    int pair[2];
    passage->tunnel->pause_ms = PAUSE_MIN_MS;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        give_up(passage);
        return;
    }
    passage->local = pair[0];
    watch_edges(pair[0], &passage->watch, EPOLL_CTL_ADD);
    if (nng_listener_set_int(passage->tunnel->into, NNG_OPT_SOCKET_FD, pair[1]) != 0) {
        close(pair[1]);
        give_up(passage);
    }
}

static void log_refusal(const struct passage *passage)
{
    static struct log_throttle throttle;
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    char host[NI_MAXHOST] = "";
    metric_add(refused, 1);
    if (!log_once_per(&throttle, LOG_PERIOD_MS))
        return;
    getpeername(passage->net, (struct sockaddr *)&peer, &size);
    getnameinfo((struct sockaddr *)&peer, size, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    log_warn("no TLS with a peer", log_text("peer", host),
             log_text("reason", tls_problem(passage->ssl)));
}

static void shake_hands(struct passage *passage)
{
    ERR_clear_error();
    int result = SSL_do_handshake(passage->ssl);
    if (result == 1) {
        open_to_nng(passage);
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

static void passage_moved(void *arg)
{
    struct passage *passage = arg;
    if (!passage->dead && passage->local < 0)
        shake_hands(passage);
    if (!passage->dead && passage->local >= 0)
        carry(passage);
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

static void add_passage(struct tunnel *tunnel, int net)
{
    struct passage *passage = memory_alloc(sizeof(*passage));
    set_options(net);
    passage->tunnel = tunnel;
    passage->watch = (struct watch){passage_moved, passage};
    passage->net = net;
    passage->local = -1;
    passage->ssl = tls_open(net, tunnel->listening >= 0);
    passage->proven_by_us = clock_monotonic_us() + HANDSHAKE_MS * US_PER_MS;
    LL_PREPEND(tunnel->passages, passage);
    watch_edges(net, &passage->watch, EPOLL_CTL_ADD);
}

static void bury(struct passage *passage)
{
    SSL_shutdown(passage->ssl);
    ERR_clear_error();
    SSL_free(passage->ssl);
    close(passage->net);
    if (passage->local >= 0)
        close(passage->local);
    free(passage);
}

// --- tunnels -----------------------------------------------------------------------------------

static size_t unproven(const struct tunnel *tunnel)
{
    size_t count = 0;
    for (const struct passage *at = tunnel->passages; at; at = at->next)
        count += at->local < 0;
    return count;
}

static void accept_all(void *arg)
{
    struct tunnel *tunnel = arg;
    int net;
    while ((net = accept4(tunnel->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        if (unproven(tunnel) < UNPROVEN_MAX)
            add_passage(tunnel, net);
        else
            close(net);
    tunnel->starved = errno != EAGAIN && errno != ECONNABORTED;
}

static void dial(struct tunnel *tunnel)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int net = socket(tunnel->peer.ss_family, type, 0);
    if (net < 0)
        return;
    int failure = connect(net, (struct sockaddr *)&tunnel->peer, tunnel->peer_size);
    if (failure && errno != EINPROGRESS)
        close(net);
    else
        add_passage(tunnel, net);
}

// One connection, or soon the next try.
static void keep_dialed(struct tunnel *tunnel, int64_t now_us)
{
    if (tunnel->listening >= 0 || tunnel->passages || tunnel->dial_at_us > now_us)
        return;
    tunnel->dial_at_us = now_us + tunnel->pause_ms * US_PER_MS;
    tunnel->pause_ms = tunnel->pause_ms < PAUSE_MAX_MS / 2 ? tunnel->pause_ms * 2 : PAUSE_MAX_MS;
    dial(tunnel);
}

static void bury_dead(struct tunnel *tunnel, int64_t now_us)
{
    struct passage *at, *next;
    for (at = tunnel->passages; at; at = next) {
        next = at->next;
        bool late = at->local < 0 && at->proven_by_us <= now_us;
        if (!at->dead && !late)
            continue;
        LL_DELETE(tunnel->passages, at);
        bury(at);
    }
}

// What nng has written is still on its way through us.
static void end(struct tunnel *tunnel)
{
    struct passage *at;
    LL_FOREACH (tunnel->passages, at) {
        passage_moved(at);
        give_up(at);
    }
    bury_dead(tunnel, 0);
    if (tunnel->listening >= 0)
        close(tunnel->listening);
    LL_DELETE(tunnels, tunnel);
    tunnel->closed = true;
}

// Does what is due; true when something waits for its time.
static bool look_after_all(void)
{
    int64_t now_us = clock_monotonic_us();
    bool waiting = false;
    struct tunnel *at, *next;
    for (at = tunnels; at; at = next) {
        next = at->next;
        bury_dead(at, now_us);
        if (at->closing) {
            end(at);
            continue;
        }
        keep_dialed(at, now_us);
        if (at->starved)
            accept_all(at);
        waiting =
            waiting || at->starved || unproven(at) > 0 || (at->listening < 0 && !at->passages);
    }
    pthread_cond_broadcast(&closed);
    return waiting;
}

static void silence_bell(void *arg)
{
    uint64_t rung;
    (void)arg;
    while (read(bell, &rung, sizeof(rung)) > 0)
        continue;
}

static void *run(void *arg)
{
    struct epoll_event events[EVENTS_MAX];
    bool waiting = false;
    pthread_setname_np(pthread_self(), "rpc-tunnels");
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_MAX, waiting ? TICK_MS : -1);
        pthread_mutex_lock(&lock);
        for (int i = 0; i < count; i++) {
            struct watch *watch = events[i].data.ptr;
            watch->moved(watch->arg);
        }
        waiting = look_after_all();
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void start_running(void)
{
    static struct watch watch = {silence_bell, NULL};
    pthread_t thread;
    refused = metrics_counter("baro_tls_refused_total",
                              "Connections between processes that TLS refused.", NULL);
    signal(SIGPIPE, SIG_IGN); // OpenSSL, and nng at its end of a pair, write as if nobody hung up
    poller = epoll_create1(EPOLL_CLOEXEC);
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (poller < 0 || bell < 0)
        abort();
    thread_start(&thread, run, NULL);
    watch_edges(bell, &watch, EPOLL_CTL_ADD);
    pthread_detach(thread);
}

static void ring_bell(void)
{
    const uint64_t one = 1;
    if (write(bell, &one, sizeof(one)) < 0 && errno != EAGAIN)
        abort();
}

// --- from outside ------------------------------------------------------------------------------

static int look_up(const char *address, int flags, struct addrinfo **found)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    char host[NI_MAXHOST];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof(host))
        return NNG_EADDRINVAL;
    bool bracketed = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
    size_t length = (size_t)(colon - address) - (bracketed ? 2 : 0);
    memcpy(host, address + bracketed, length);
    host[length] = '\0';
    return getaddrinfo(host, colon + 1, &hints, found) == 0 ? 0 : NNG_EADDRINVAL;
}

static int port_of(int fd)
{
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof(own);
    char port[NI_MAXSERV] = "0";
    getsockname(fd, (struct sockaddr *)&own, &size);
    getnameinfo((struct sockaddr *)&own, size, NULL, 0, port, sizeof(port), NI_NUMERICSERV);
    return (int)strtol(port, NULL, 10);
}

static int listen_at(const struct addrinfo *where, int *listening)
{
    static const int on = 1;
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(where->ai_family, type, 0);
    if (fd < 0)
        return NNG_ENOFILES;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) {
        *listening = fd;
        return 0;
    }
    int error = errno == EADDRINUSE ? NNG_EADDRINUSE : NNG_EADDRINVAL;
    close(fd);
    return error;
}

static struct tunnel *make_tunnel(nng_listener into)
{
    struct tunnel *tunnel = memory_alloc(sizeof(*tunnel));
    tunnel->into = into;
    tunnel->watch = (struct watch){accept_all, tunnel};
    tunnel->listening = -1;
    tunnel->pause_ms = PAUSE_MIN_MS;
    return tunnel;
}

static void begin(struct tunnel *tunnel)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_running);
    pthread_mutex_lock(&lock);
    LL_PREPEND(tunnels, tunnel);
    if (tunnel->listening >= 0)
        watch_edges(tunnel->listening, &tunnel->watch, EPOLL_CTL_ADD);
    pthread_mutex_unlock(&lock);
    ring_bell();
}

int tunnel_listen(const char *address, nng_listener into, struct tunnel **tunnel)
{
    struct addrinfo *found;
    int listening = -1;
    int error = look_up(address, AI_PASSIVE, &found);
    if (error)
        return error;
    error = listen_at(found, &listening);
    freeaddrinfo(found);
    if (error)
        return error;
    *tunnel = make_tunnel(into);
    (*tunnel)->listening = listening;
    (*tunnel)->port = port_of(listening);
    begin(*tunnel);
    return 0;
}

int tunnel_dial(const char *address, nng_listener into, struct tunnel **tunnel)
{
    struct addrinfo *found;
    int error = look_up(address, AI_NUMERICHOST, &found);
    if (error)
        return error;
    *tunnel = make_tunnel(into);
    memcpy(&(*tunnel)->peer, found->ai_addr, found->ai_addrlen);
    (*tunnel)->peer_size = found->ai_addrlen;
    freeaddrinfo(found);
    begin(*tunnel);
    return 0;
}

int tunnel_port(const struct tunnel *tunnel)
{
    return tunnel->port;
}

void tunnel_close(struct tunnel *tunnel)
{
    if (!tunnel)
        return;
    pthread_mutex_lock(&lock);
    tunnel->closing = true;
    ring_bell();
    while (!tunnel->closed)
        pthread_cond_wait(&closed, &lock);
    pthread_mutex_unlock(&lock);
    free(tunnel);
}
