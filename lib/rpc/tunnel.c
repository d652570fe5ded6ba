// One thread and one lock of the process for all tunnels; the thread holds the lock but while it waits.
// What dies is buried after the events of a turn, of which one may still name it.

#include "lib/rpc/tunnel.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"
#include "lib/rpc/passage.h"

#include <errno.h>
#include <netdb.h>
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
    EVENTS_MAX = 64,
    TICK_MS = 20,       // while something waits for its time
    UNPROVEN_MAX = 128, // of one listener: more are turned away
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 1000,
};

struct tunnel {
    nng_listener into;
    struct watch watch;
    int listening; // -1: it dials
    int port;
    struct sockaddr_storage peer;
    socklen_t peer_size;
    int64_t dial_at_us;
    int64_t fruitless; // tries to connect, in a row
    struct passage *passages;
    bool starved; // had no descriptor for one who knocked: no edge will tell of them again
    bool closing, closed;
    struct tunnel *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t closed = PTHREAD_COND_INITIALIZER;
static struct tunnel *tunnels;
static struct passage_border border;
static int bell = -1;

static size_t unproven(const struct tunnel *tunnel)
{
    size_t count = 0;
    for (const struct passage *at = tunnel->passages; at; at = at->next)
        count += !at->proven;
    return count;
}

static void add_passage(struct tunnel *tunnel, int net)
{
    struct passage *passage = passage_open(&border, net, tunnel->listening >= 0, tunnel->into);
    LL_PREPEND(tunnel->passages, passage);
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
    int64_t pause_ms = backoff_ceiling(PAUSE_FIRST_MS, PAUSE_MAX_MS, tunnel->fruitless++);
    tunnel->dial_at_us = now_us + pause_ms * US_PER_MS;
    dial(tunnel);
}

static void bury_dead(struct tunnel *tunnel, int64_t now_us)
{
    struct passage *at, *next;
    for (at = tunnel->passages; at; at = next) {
        next = at->next;
        if (at->proven)
            tunnel->fruitless = 0;
        if (!passage_is_over(at, now_us))
            continue;
        LL_DELETE(tunnel->passages, at);
        passage_close(at);
    }
}

// The oldest that is proven; NULL while nng has not taken the one before (passage_offer).
static struct passage *next_to_offer(const struct tunnel *tunnel)
{
    struct passage *next = NULL;
    for (struct passage *at = tunnel->passages; at; at = at->next) {
        if (at->local >= 0 && !at->taken && !at->dead)
            return NULL;
        if (at->proven && at->local < 0 && !at->dead)
            next = at;
    }
    return next;
}

static void offer_all(const struct tunnel *tunnel)
{
    struct passage *next;
    while ((next = next_to_offer(tunnel)))
        passage_offer(next);
}

static bool waits_for_one(const struct tunnel *tunnel)
{
    for (const struct passage *at = tunnel->passages; at; at = at->next)
        if (!at->taken)
            return true;
    return tunnel->listening < 0 && !tunnel->passages;
}

// What nng has written is still on its way through us.
static void end(struct tunnel *tunnel)
{
    struct passage *at, *next;
    LL_FOREACH_SAFE (tunnel->passages, at, next) {
        passage_move(at);
        passage_close(at);
    }
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
        offer_all(at);
        waiting = waiting || at->starved || waits_for_one(at);
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
        int count = epoll_wait(border.poller, events, EVENTS_MAX, waiting ? TICK_MS : -1);
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
    border.refused = metrics_counter("baro_tls_refused_total",
                                     "Connections between processes that TLS refused.", NULL);
    signal(SIGPIPE, SIG_IGN); // OpenSSL, and nng at its end of a pair, write as if nobody hung up
    border.poller = epoll_create1(EPOLL_CLOEXEC);
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (border.poller < 0 || bell < 0)
        abort();
    thread_start(&thread, run, NULL);
    watch_edges(border.poller, bell, &watch, EPOLL_CTL_ADD);
    pthread_detach(thread);
}

static void ring_bell(void)
{
    const uint64_t one = 1;
    if (write(bell, &one, sizeof(one)) < 0 && errno != EAGAIN)
        abort();
}

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
    return tunnel;
}

static void begin(struct tunnel *tunnel)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_running);
    pthread_mutex_lock(&lock);
    LL_PREPEND(tunnels, tunnel);
    if (tunnel->listening >= 0)
        watch_edges(border.poller, tunnel->listening, &tunnel->watch, EPOLL_CTL_ADD);
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
