// The system that the programs run on (linked with --wrap): threads are fibers, locks and conditions
// know only them, clocks are the world's, random bytes come from the seed.
//
// A lock or condition keeps the list of its waiters in the memory of the POSIX type, so it needs no
// set-up and dies with its process.

#include "tests/simulate/world.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

// One who waits, on its own stack.
struct waiter {
    struct fiber *fiber;
    uint64_t turn;
    struct waiter *next;
};

struct lock {
    int readers; // -1: locked for writing
    struct waiter *waiters;
};

struct condition {
    struct waiter *waiters;
};

_Static_assert(sizeof(struct lock) <= sizeof(pthread_mutex_t), "fits into its place");
_Static_assert(sizeof(struct lock) <= sizeof(pthread_rwlock_t), "fits into its place");
_Static_assert(sizeof(struct condition) <= sizeof(pthread_cond_t), "fits into its place");

// clang-format off
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_rwlock_init(pthread_rwlock_t *rwlock, const pthread_rwlockattr_t *attributes);
int __wrap_pthread_rwlock_destroy(pthread_rwlock_t *rwlock);
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *rwlock);
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *rwlock);
int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *rwlock);
int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *condition);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *pause, struct timespec *left);
char *__wrap_getenv(const char *name);
uint32_t __wrap_randombytes_random(void);
void __wrap_randombytes_buf(void *buffer, size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
char *__real_getenv(const char *name);
// clang-format on

enum { NS_PER_US = 1000 };
#define US_PER_SECOND INT64_C(1000000)
// 2026-01-01: what the wall clock of the world shows at its beginning.
#define EPOCH_US (INT64_C(1767225600) * US_PER_SECOND)

// Threads

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg)
{
    (void)attributes;
    *thread = (pthread_t)fiber_start(process_now, run, arg, true);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    (void)result;
    fiber_join((struct fiber *)thread);
    return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    (void)thread;
    (void)name;
    return 0;
}

// Waiting

static bool wait_in(struct waiter **list, int64_t until_us)
{
    struct waiter own = {.fiber = fiber_now(), .turn = fiber_turn(fiber_now()) + 1, .next = NULL};
    struct waiter **link = list;
    while (*link)
        link = &(*link)->next;
    *link = &own;
    bool woken = fiber_park(until_us);
    for (link = list; *link; link = &(*link)->next)
        if (*link == &own) {
            *link = own.next;
            break;
        }
    return woken;
}

static void wake_first(struct waiter **list)
{
    struct waiter *first = *list;
    if (!first)
        return;
    *list = first->next;
    fiber_wake(first->fiber, first->turn);
}

static void wake_all(struct waiter **list)
{
    while (*list)
        wake_first(list);
}

static struct lock *lock_of(void *posix)
{
    return posix;
}

static void acquire(struct lock *lock, bool shared)
{
    while (shared ? lock->readers < 0 : lock->readers != 0)
        wait_in(&lock->waiters, INT64_MAX);
    lock->readers = shared ? lock->readers + 1 : -1;
}

static void release(struct lock *lock)
{
    lock->readers = lock->readers > 0 ? lock->readers - 1 : 0;
    if (lock->waiters)
        wake_all(&lock->waiters);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    *lock_of(mutex) = (struct lock){0};
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    acquire(lock_of(mutex), false);
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    release(lock_of(mutex));
    return 0;
}

int __wrap_pthread_rwlock_init(pthread_rwlock_t *rwlock, const pthread_rwlockattr_t *attributes)
{
    (void)attributes;
    *lock_of(rwlock) = (struct lock){0};
    return 0;
}

int __wrap_pthread_rwlock_destroy(pthread_rwlock_t *rwlock)
{
    (void)rwlock;
    return 0;
}

int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *rwlock)
{
    acquire(lock_of(rwlock), true);
    return 0;
}

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *rwlock)
{
    acquire(lock_of(rwlock), false);
    return 0;
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *rwlock)
{
    release(lock_of(rwlock));
    return 0;
}

static struct condition *condition_of(void *posix)
{
    return posix;
}

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    (void)attributes;
    *condition_of(condition) = (struct condition){0};
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
    (void)condition;
    return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    release(lock_of(mutex));
    wait_in(&condition_of(condition)->waiters, INT64_MAX);
    acquire(lock_of(mutex), false);
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    int64_t clock_us = until->tv_sec * US_PER_SECOND + until->tv_nsec / NS_PER_US;
    release(lock_of(mutex));
    bool woken = wait_in(&condition_of(condition)->waiters, process_when_us(process_now, clock_us));
    acquire(lock_of(mutex), false);
    return woken ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    wake_first(&condition_of(condition)->waiters);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    wake_all(&condition_of(condition)->waiters);
    return 0;
}

// Clocks

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!process_now)
        return __real_clock_gettime(clock, now);
    int64_t us = process_clock_us(process_now);
    if (clock == CLOCK_REALTIME)
        us += EPOCH_US + process_now->wall_offset_us;
    *now = (struct timespec){.tv_sec = us / US_PER_SECOND,
                             .tv_nsec = (long)(us % US_PER_SECOND * NS_PER_US)};
    return 0;
}

int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *pause,
                           struct timespec *left)
{
    (void)clock;
    (void)left;
    assert(flags == 0);
    fiber_sleep(pause->tv_sec * US_PER_SECOND + pause->tv_nsec / NS_PER_US);
    return 0;
}

// The environment and randomness

char *__wrap_getenv(const char *name)
{
    union {
        const char *value;
        char *lent;
    } same = {.value = NULL};
    if (!process_now)
        return __real_getenv(name);
    if (strcmp(name, "BARO_INSTANCE") == 0)
        return process_now->name;
    if (strcmp(name, "BARO_DATABASE_URL") == 0)
        same.value = process_now->database_url;
    for (const struct variable *v = process_now->environment; v && v->name; v++)
        if (strcmp(v->name, name) == 0)
            same.value = v->value;
    return same.lent;
}

uint32_t __wrap_randombytes_random(void)
{
    return (uint32_t)chance_next();
}

void __wrap_randombytes_buf(void *buffer, size_t size)
{
    unsigned char *bytes = buffer;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)chance_next();
}
