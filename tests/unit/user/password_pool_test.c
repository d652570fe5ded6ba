// The pool runs a bounded number of tasks and refuses what does not fit.

#include "services/user/password.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdatomic.h>

// Tasks that stand at a gate until the test opens it.
struct gate {
    sem_t entered, open;
    atomic_int running, most, done;
};

static void stand_at_gate(void *arg, struct db *db)
{
    struct gate *gate = arg;
    (void)db;
    int running = atomic_fetch_add(&gate->running, 1) + 1;
    if (running > atomic_load(&gate->most))
        atomic_store(&gate->most, running);
    sem_post(&gate->entered);
    sem_wait(&gate->open);
    atomic_fetch_sub(&gate->running, 1);
    atomic_fetch_add(&gate->done, 1);
}

Test(password_pool, runs_two_at_once_lets_some_wait_and_refuses_the_rest)
{
    struct gate gate = {0};
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    struct password_pool *pool = password_pool_create("", 2, 3);
    cr_assert(password_pool_submit(pool, stand_at_gate, &gate));
    cr_assert(password_pool_submit(pool, stand_at_gate, &gate));
    sem_wait(&gate.entered);
    sem_wait(&gate.entered);
    for (int i = 0; i < 3; i++)
        cr_assert(password_pool_submit(pool, stand_at_gate, &gate));
    cr_assert(!password_pool_submit(pool, stand_at_gate, &gate));
    for (int i = 0; i < 5; i++)
        sem_post(&gate.open);
    password_pool_destroy(pool);
    cr_assert_eq(atomic_load(&gate.done), 5);
    cr_assert_eq(atomic_load(&gate.most), 2);
}

Test(password_pool, may_be_destroyed_when_it_never_was)
{
    password_pool_destroy(NULL);
}
