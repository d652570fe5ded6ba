// A hash table by saga, a heap by deadline, and one thread that sleeps until the first deadline. Most
// calls leave long before theirs; the thread then finds nothing due and sleeps on.

#include "services/order/waiters.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/thread.h"
#include "lib/saga/timers.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

struct waiter {
    int64_t saga_id, order_id;
    struct call *call;
    struct timer timer;
    UT_hash_handle hh;
};

struct waiters {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool stopping;
    int64_t wake_us; // when the thread will look next
    struct waiter *table;
    struct timers timers;
    waiters_impatient *impatient;
    void *arg;
};

static void take_out(struct waiters *waiters, struct waiter *waiter)
{
    HASH_DEL(waiters->table, waiter);
    timers_set(&waiters->timers, &waiter->timer, TIMER_NEVER);
}

// Takes out one waiter that is due; else writes when the next one will be.
static struct waiter *take_due(struct waiters *waiters, int64_t now_us)
{
    struct timer *timer = timers_take_due(&waiters->timers, now_us);
    if (!timer) {
        waiters->wake_us = timers_next(&waiters->timers);
        return NULL;
    }
    take_out(waiters, timer->owner);
    return timer->owner;
}

static void sleep_until(struct waiters *waiters, int64_t until_us)
{
    if (until_us == TIMER_NEVER)
        pthread_cond_wait(&waiters->changed, &waiters->lock);
    else
        condition_wait_until(&waiters->changed, &waiters->lock, until_us);
}

static void *waiters_main(void *arg)
{
    struct waiters *waiters = arg;
    pthread_mutex_lock(&waiters->lock);
    while (!waiters->stopping) {
        struct waiter *due = take_due(waiters, clock_monotonic_us());
        if (!due) {
            sleep_until(waiters, waiters->wake_us);
            continue;
        }
        pthread_mutex_unlock(&waiters->lock);
        waiters->impatient(waiters->arg, due->call, due->order_id);
        free(due);
        pthread_mutex_lock(&waiters->lock);
    }
    pthread_mutex_unlock(&waiters->lock);
    return NULL;
}

struct waiters *waiters_create(waiters_impatient *impatient, void *arg)
{
    struct waiters *waiters = memory_alloc(sizeof(*waiters));
    waiters->impatient = impatient;
    waiters->arg = arg;
    waiters->wake_us = TIMER_NEVER;
    pthread_mutex_init(&waiters->lock, NULL);
    condition_init(&waiters->changed);
    thread_start(&waiters->thread, waiters_main, waiters);
    return waiters;
}

void waiters_destroy(struct waiters *waiters)
{
    if (!waiters)
        return;
    pthread_mutex_lock(&waiters->lock);
    waiters->stopping = true;
    pthread_cond_signal(&waiters->changed);
    pthread_mutex_unlock(&waiters->lock);
    pthread_join(waiters->thread, NULL);
    struct waiter *waiter = waiters->table, *next;
    HASH_CLEAR(hh, waiters->table);
    for (; waiter; waiter = next) {
        next = waiter->hh.next;
        call_refuse(waiter->call, refuse(REASON_UNAVAILABLE, "shutting down"));
        call_finish(waiter->call);
        free(waiter);
    }
    timers_fini(&waiters->timers);
    pthread_cond_destroy(&waiters->changed);
    pthread_mutex_destroy(&waiters->lock);
    free(waiters);
}

void waiters_add(struct waiters *waiters, int64_t saga_id, int64_t order_id, struct call *call,
                 int64_t wait_ms)
{
    struct waiter *waiter = memory_alloc(sizeof(*waiter));
    *waiter = (struct waiter){
        .saga_id = saga_id,
        .order_id = order_id,
        .call = call,
        .timer = {.owner = waiter},
    };
    int64_t due_us = clock_monotonic_us() + (wait_ms > 0 ? wait_ms : 0) * US_PER_MS;
    pthread_mutex_lock(&waiters->lock);
    HASH_ADD(hh, waiters->table, saga_id, sizeof(waiter->saga_id), waiter);
    timers_set(&waiters->timers, &waiter->timer, due_us);
    if (due_us < waiters->wake_us)
        pthread_cond_signal(&waiters->changed);
    pthread_mutex_unlock(&waiters->lock);
}

struct call *waiters_take(struct waiters *waiters, int64_t saga_id)
{
    struct waiter *waiter;
    pthread_mutex_lock(&waiters->lock);
    HASH_FIND(hh, waiters->table, &saga_id, sizeof(saga_id), waiter);
    if (waiter)
        take_out(waiters, waiter);
    pthread_mutex_unlock(&waiters->lock);
    struct call *call = waiter ? waiter->call : NULL;
    free(waiter);
    return call;
}
