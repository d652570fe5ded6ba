// A ring of sequence numbers and a list of those who found it empty. Numbers leave in the order in which
// they came, so that ids grow with time.

#include "services/order/id_pool.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/timeid.h"

#include <pthread.h>
#include <stdlib.h>

enum { LOW = ID_POOL_REFILL / 2, CAPACITY = LOW + ID_POOL_REFILL };

struct taker {
    id_taken *taken;
    void *arg;
    int64_t id;
    struct taker *next;
};

struct id_pool {
    pthread_mutex_t lock;
    void (*refill)(void *arg);
    void *arg;
    bool refilling;
    int64_t clock_offset_us; // the database's clock minus our monotonic one
    struct taker *first, **last;
    size_t next, count;
    int64_t numbers[CAPACITY];
};

struct id_pool *id_pool_create(void (*refill)(void *arg), void *arg)
{
    struct id_pool *pool = memory_alloc(sizeof(*pool));
    pthread_mutex_init(&pool->lock, NULL);
    pool->refill = refill;
    pool->arg = arg;
    pool->last = &pool->first;
    return pool;
}

static void tell_all(struct taker *taker)
{
    while (taker) {
        struct taker *next = taker->next;
        taker->taken(taker->arg, taker->id);
        free(taker);
        taker = next;
    }
}

void id_pool_destroy(struct id_pool *pool)
{
    if (!pool)
        return;
    tell_all(pool->first);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static int64_t pop(struct id_pool *pool)
{
    int64_t now_us = clock_monotonic_us() + pool->clock_offset_us;
    int64_t number = pool->numbers[pool->next];
    pool->next = (pool->next + 1) % CAPACITY;
    pool->count--;
    return time_id(now_us, number);
}

static void wait_for_refill(struct id_pool *pool, id_taken *taken, void *arg)
{
    struct taker *taker = memory_alloc(sizeof(*taker));
    *taker = (struct taker){.taken = taken, .arg = arg};
    *pool->last = taker;
    pool->last = &taker->next;
}

void id_pool_take(struct id_pool *pool, id_taken *taken, void *arg)
{
    int64_t id = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->count > 0)
        id = pop(pool);
    else
        wait_for_refill(pool, taken, arg);
    bool refill = pool->count < LOW && !pool->refilling;
    pool->refilling |= refill;
    pthread_mutex_unlock(&pool->lock);
    if (refill)
        pool->refill(pool->arg);
    if (id)
        taken(arg, id);
}

// Takes those who wait off the list, each with an id as long as there are any.
static struct taker *serve(struct id_pool *pool, bool all)
{
    struct taker *served = pool->first, **end = &pool->first;
    while (*end && (pool->count > 0 || all)) {
        (*end)->id = pool->count > 0 ? pop(pool) : 0;
        end = &(*end)->next;
    }
    if (end == &pool->first)
        return NULL;
    pool->first = *end;
    *end = NULL;
    if (!pool->first)
        pool->last = &pool->first;
    return served;
}

void id_pool_put(struct id_pool *pool, const int64_t *numbers, size_t count, int64_t now_us)
{
    pthread_mutex_lock(&pool->lock);
    pool->clock_offset_us = now_us - clock_monotonic_us();
    for (size_t i = 0; i < count && pool->count < CAPACITY; i++)
        pool->numbers[(pool->next + pool->count++) % CAPACITY] = numbers[i];
    struct taker *served = serve(pool, false);
    bool refill = pool->first != NULL;
    pool->refilling = refill;
    pthread_mutex_unlock(&pool->lock);
    tell_all(served);
    if (refill)
        pool->refill(pool->arg);
}

void id_pool_refill_failed(struct id_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->refilling = false;
    struct taker *served = serve(pool, true);
    pthread_mutex_unlock(&pool->lock);
    tell_all(served);
}
