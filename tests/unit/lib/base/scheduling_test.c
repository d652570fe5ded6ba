#include "lib/base/scheduling.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

static void *note_policy(void *policy)
{
    *(int *)policy = sched_getscheduler(0);
    return NULL;
}

Test(scheduling, threads_that_start_later_do_not_interrupt_others)
{
    int policy = -1;
    pthread_t thread;
    scheduling_prefer_batches();
    cr_assert_eq(pthread_create(&thread, NULL, note_policy, &policy), 0);
    pthread_join(thread, NULL);
    cr_expect_eq(policy, SCHED_BATCH);
}
