// Why not libmicrohttpd's own thread: when epoll hands it exactly as many events as it takes in one
// go (128), it asks again before it handles them, and waits with work in its hands; if the event
// that said "resume" was among them, until the next client or a timeout comes. Asked by us it never
// waits, so the waiting is done here.

#include "gateway/http_loop.h"

#include "lib/base/memory.h"
#include "lib/base/thread.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct http_loop {
    struct MHD_Daemon *daemon;
    struct http_round round;
    int wake;
    atomic_bool quiescing;
    atomic_bool stopping;
    atomic_uint rounds;
    bool quiesced;
    pthread_t thread;
};

static void wake(struct http_loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->wake, &one, sizeof(one));
    assert(written == sizeof(one));
    (void)written;
}

static void wait_for_events(struct http_loop *loop)
{
    struct pollfd sources[] = {
        {MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, POLLIN, 0},
        {loop->wake, POLLIN, 0},
    };
    int timeout_ms = MHD_get_timeout_i(loop->daemon);
    uint64_t count;
    if (timeout_ms != 0)
        poll(sources, 2, timeout_ms);
    if (sources[1].revents && read(loop->wake, &count, sizeof(count)) < 0)
        return; // the count does not matter
}

static void quiesce(struct http_loop *loop)
{
    int listener = MHD_quiesce_daemon(loop->daemon);
    if (listener >= 0)
        close(listener);
    loop->quiesced = true;
}

static void turn(struct http_loop *loop)
{
    bool begun = loop->round.begin(loop->round.arg);
    MHD_run(loop->daemon);
    if (begun)
        loop->round.end(loop->round.arg);
    atomic_fetch_add(&loop->rounds, 1);
}

static void *run(void *arg)
{
    struct http_loop *loop = arg;
    while (!atomic_load(&loop->stopping)) {
        if (atomic_load(&loop->quiescing) && !loop->quiesced)
            quiesce(loop);
        turn(loop);
        wait_for_events(loop);
    }
    return NULL;
}

struct http_loop *http_loop_start(struct MHD_Daemon *daemon, struct http_round round)
{
    struct http_loop *loop = memory_alloc(sizeof(*loop));
    loop->daemon = daemon;
    loop->round = round;
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(loop->wake >= 0);
    thread_start(&loop->thread, run, loop);
    pthread_setname_np(loop->thread, "http");
    return loop;
}

void http_loop_quiesce(struct http_loop *loop)
{
    atomic_store(&loop->quiescing, true);
    wake(loop);
}

void http_loop_go_round(struct http_loop *loop)
{
    unsigned from = atomic_load(&loop->rounds);
    while (atomic_load(&loop->rounds) - from < 2) { // the first may have begun before
        wake(loop);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void http_loop_stop(struct http_loop *loop)
{
    if (!loop)
        return;
    atomic_store(&loop->stopping, true);
    wake(loop);
    pthread_join(loop->thread, NULL);
    MHD_stop_daemon(loop->daemon);
    close(loop->wake);
    free(loop);
}
