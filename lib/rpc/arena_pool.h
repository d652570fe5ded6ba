#pragma once
// Arenas for work that is short but frequent: a message is unpacked, used, and forgotten.

#include "lib/base/arena.h"

#include <pthread.h>

struct arena_pool {
    pthread_mutex_t lock;
    struct arena *free[16];
    size_t count;
};

void arena_pool_init(struct arena_pool *pool);
void arena_pool_fini(struct arena_pool *pool);

// Takes an empty arena; give it back with arena_pool_release, from any thread.
struct arena *arena_pool_acquire(struct arena_pool *pool);
void arena_pool_release(struct arena_pool *pool, struct arena *arena);
