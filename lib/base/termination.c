#include "lib/base/termination.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

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
