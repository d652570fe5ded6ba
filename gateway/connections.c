// A list of all sockets, walked several times a second. Ending a connection means shutting its
// socket down: the HTTP thread sees the end and cleans up.
//
// Invariant: a connection leaves the list, under the lock, before its descriptor is closed, so the
// walk never touches a descriptor that belongs to somebody else by now.

#include "gateway/connections.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

struct connection {
    int fd;
    _Atomic int64_t deadline_us;
    struct connection *prev, *next;
};

struct connections {
    pthread_mutex_t lock;
    struct connection *all;
    struct connection_limits limits;
};

struct connections *connections_create(struct connection_limits limits)
{
    struct connections *connections = memory_alloc(sizeof(*connections));
    pthread_mutex_init(&connections->lock, NULL);
    connections->limits = limits;
    return connections;
}

void connections_destroy(struct connections *connections)
{
    if (!connections)
        return;
    assert(!connections->all);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

static void set_deadline(struct connection *connection, int64_t deadline_us)
{
    atomic_store_explicit(&connection->deadline_us, deadline_us, memory_order_relaxed);
}

static int64_t from_now(int64_t limit_ms)
{
    return clock_monotonic_us() + limit_ms * US_PER_MS;
}

struct connection *connection_open(struct connections *connections, int fd)
{
    struct connection *connection = memory_alloc(sizeof(*connection));
    connection->fd = fd;
    set_deadline(connection, from_now(connections->limits.head_ms));
    pthread_mutex_lock(&connections->lock);
    DL_APPEND(connections->all, connection);
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connection_close(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    DL_DELETE(connections->all, connection);
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

void connection_expect_head(const struct connections *connections, struct connection *connection)
{
    int64_t until_us = from_now(connections->limits.head_ms);
    if (until_us < atomic_load_explicit(&connection->deadline_us, memory_order_relaxed))
        set_deadline(connection, until_us);
}

void connection_expect_body(const struct connections *connections, struct connection *connection)
{
    set_deadline(connection, from_now(connections->limits.body_ms));
}

void connection_restart(const struct connections *connections, struct connection *connection)
{
    set_deadline(connection, from_now(connections->limits.rest_ms));
}

void connection_pause(struct connection *connection)
{
    set_deadline(connection, INT64_MAX);
}

int connections_expire(struct connections *connections, int64_t now_us)
{
    int count = 0;
    struct connection *connection;
    pthread_mutex_lock(&connections->lock);
    DL_FOREACH (connections->all, connection)
        if (atomic_load_explicit(&connection->deadline_us, memory_order_relaxed) < now_us) {
            shutdown(connection->fd, SHUT_RDWR);
            count++;
        }
    pthread_mutex_unlock(&connections->lock);
    return count;
}
