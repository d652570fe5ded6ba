// Blocked signals stay pending until they are waited for, so none is lost between two looks.

#include "lib/base/termination.h"

#include "lib/base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static sigset_t both(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

void termination_block(void)
{
    sigset_t signals = both();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int termination_wait(void)
{
    sigset_t signals = both();
    int number;
    while (sigwait(&signals, &number) != 0)
        continue;
    return number;
}

int termination_wait_ms(int64_t timeout_ms)
{
    sigset_t signals = both();
    int64_t end_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    for (;;) {
        int64_t left_us = end_us - clock_monotonic_us();
        left_us = left_us > 0 ? left_us : 0;
        struct timespec left = {left_us / US_PER_S, left_us % US_PER_S * 1000};
        int number = sigtimedwait(&signals, NULL, &left);
        if (number > 0)
            return number;
        if (left_us == 0)
            return 0;
    }
}

bool termination_is_pending(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}
