// As many arenas are in use as threads unpack at the same time, so a handful is kept.

#include "lib/rpc/arena_pool.h"

void arena_pool_init(struct arena_pool *pool)
{
    *pool = (struct arena_pool){.count = 0};
    pthread_mutex_init(&pool->lock, NULL);
}

void arena_pool_fini(struct arena_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        arena_destroy(pool->free[i]);
    pthread_mutex_destroy(&pool->lock);
}

struct arena *arena_pool_acquire(struct arena_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct arena *arena = pool->count > 0 ? pool->free[--pool->count] : NULL;
    pthread_mutex_unlock(&pool->lock);
    return arena ? arena : arena_create();
}

void arena_pool_release(struct arena_pool *pool, struct arena *arena)
{
    arena_reset(arena);
    pthread_mutex_lock(&pool->lock);
    if (pool->count < COUNT(pool->free)) {
        pool->free[pool->count++] = arena;
        arena = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    arena_destroy(arena);
}
