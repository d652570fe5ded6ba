#include "lib/base/termination.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static void *send(void *arg)
{
    kill(getpid(), *(int *)arg);
    return NULL;
}

Test(termination, waits_for_either_signal_in_whatever_thread_it_lands)
{
    int signals[] = {SIGTERM, SIGINT};
    termination_block();
    for (int i = 0; i < 2; i++) {
        pthread_t sender;
        cr_assert_eq(pthread_create(&sender, NULL, send, &signals[i]), 0);
        cr_assert_eq(termination_wait(), signals[i]);
        pthread_join(sender, NULL);
    }
}

Test(termination, is_not_what_a_peer_that_is_gone_means)
{
    int ends[2];
    termination_block();
    cr_assert_eq(pipe(ends), 0);
    close(ends[0]);
    cr_assert_eq(write(ends[1], "x", 1), -1);
    cr_assert_eq(errno, EPIPE);
}

Test(termination, is_waited_for_as_long_as_one_likes)
{
    termination_block();
    cr_expect_eq(termination_wait_ms(0), 0);
    cr_expect_eq(termination_wait_ms(20), 0);
    cr_expect_not(termination_is_pending());
    kill(getpid(), SIGTERM);
    cr_expect(termination_is_pending());
    cr_expect_eq(termination_wait_ms(5000), SIGTERM);
    cr_expect_not(termination_is_pending(), "it has been waited for");
}
