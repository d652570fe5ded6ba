// The pool: a request keeps the first block of its arena, so a busy gateway allocates nothing.

#include "gateway/request.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_MAX = 1024 };

struct request_pool {
    pthread_mutex_t lock;
    struct request *idle;
    size_t idle_count;
    size_t active;
};

struct request_pool *request_pool_create(void)
{
    struct request_pool *pool = memory_alloc(sizeof(*pool));
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void request_destroy(struct request *request)
{
    arena_destroy(request->arena);
    free(request);
}

void request_pool_destroy(struct request_pool *pool)
{
    if (!pool)
        return;
    assert(pool->active == 0);
    while (pool->idle) {
        struct request *request = pool->idle;
        pool->idle = request->next;
        request_destroy(request);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static struct request *request_create(void)
{
    struct request *request = memory_alloc(sizeof(*request));
    request->arena = arena_create();
    return request;
}

static struct request *take_idle(struct request_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct request *request = pool->idle;
    if (request) {
        pool->idle = request->next;
        pool->idle_count--;
    }
    pool->active++;
    pthread_mutex_unlock(&pool->lock);
    return request;
}

struct request *request_acquire(struct gateway *gateway, const char *target,
                                struct MHD_Connection *connection)
{
    struct request *request = take_idle(gateway->requests);
    if (!request)
        request = request_create();
    struct arena *arena = request->arena;
    *request = (struct request){
        .gateway = gateway,
        .arena = arena,
        .connection = connection,
        .started_us = clock_monotonic_us(),
    };
    char *path = text_copy(arena, target);
    request->path = path;
    request->path_length = strcspn(path, "?");
    if (path[request->path_length] == '?') {
        path[request->path_length] = '\0';
        request->query = path + request->path_length + 1;
    }
    return request;
}

void request_release(struct request *request)
{
    struct request_pool *pool = request->gateway->requests;
    page_release(request->answer.page);
    arena_reset(request->arena);
    pthread_mutex_lock(&pool->lock);
    pool->active--;
    bool keep = pool->idle_count < POOL_MAX;
    if (keep) {
        request->next = pool->idle;
        pool->idle = request;
        pool->idle_count++;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!keep)
        request_destroy(request);
}

void request_resume(struct request *request)
{
    struct MHD_Connection *connection = request->connection;
    request->phase = PHASE_ANSWERED;
    MHD_resume_connection(connection); // from here on the request is the HTTP thread's
}

struct connection *request_connection(const struct request *request)
{
    return MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

size_t request_pool_active(struct request_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t active = pool->active;
    pthread_mutex_unlock(&pool->lock);
    return active;
}
