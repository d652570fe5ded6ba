// A list of all sockets, walked once a second. Ending a connection means shutting its socket down:
// the HTTP thread sees the end and cleans up.
//
// Invariant: a connection leaves the list, under the lock, before its descriptor is closed, so the
// walk never touches a descriptor that belongs to somebody else by now.

#include "gateway/connections.h"

#include "lib/base/clock.h"

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
    int64_t limit_us;
};

struct connections *connections_create(int64_t limit_ms)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    assert(connections);
    pthread_mutex_init(&connections->lock, NULL);
    connections->limit_us = limit_ms * US_PER_MS;
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

struct connection *connection_open(struct connections *connections, int fd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    assert(connection);
    connection->fd = fd;
    connection_restart(connections, connection);
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

void connection_restart(const struct connections *connections, struct connection *connection)
{
    atomic_store_explicit(&connection->deadline_us, clock_monotonic_us() + connections->limit_us,
                          memory_order_relaxed);
}

void connection_pause(struct connection *connection)
{
    atomic_store_explicit(&connection->deadline_us, INT64_MAX, memory_order_relaxed);
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
