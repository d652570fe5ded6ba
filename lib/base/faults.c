// The state is three numbers, read with one relaxed load where work is done: a process that suffers
// nothing pays nothing.

#include "lib/base/faults.h"

#include "lib/base/clock.h"
#include "lib/base/settings.h"
#include "lib/base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAST_WORDS_MS = 100 }; // for the answer to who asked for the end

static atomic_bool allowed;
static atomic_int_fast64_t delayed_until_us, delay_ms_now, dropping_until_us;

struct status faults_allow(const char *addresses)
{
    for (const char *at = addresses; *at; at += *at == ',') {
        at += strspn(at, " ");
        if (!text_begins_with(at, "ipc://"))
            return invalid("BARO_FAULT_PANEL",
                           "is for demonstrations on one machine: all processes "
                           "must talk over ipc:// sockets");
        at += strcspn(at, ",");
    }
    atomic_store(&allowed, true);
    return OK;
}

void faults_allow_or_exit(const char *program, const char *addresses)
{
    struct status st = faults_allow(addresses);
    const char *slash = strrchr(program, '/');
    if (!failed(st))
        return;
    fprintf(stderr, "%s: %s %s\n", slash ? slash + 1 : program, st.field, st.message);
    exit(EXIT_BAD_SETTING);
}

bool faults_are_allowed(void)
{
    return atomic_load(&allowed);
}

// The kernel sends the signal, so that nothing in this process can be in the way.
static void die_soon(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value.tv_nsec = LAST_WORDS_MS * 1000000L};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &when, NULL);
}

void faults_begin(enum fault fault, int64_t duration_ms, int64_t delay_ms)
{
    if (!faults_are_allowed())
        return;
    int64_t until_us = clock_monotonic_us() + duration_ms * US_PER_MS;
    switch (fault) {
    case FAULT_KILL:
        die_soon();
        break;
    case FAULT_DELAY:
        atomic_store(&delay_ms_now, delay_ms);
        atomic_store(&delayed_until_us, until_us);
        break;
    case FAULT_DROP_BUS:
        atomic_store(&dropping_until_us, until_us);
        break;
    }
}

static bool lasts(atomic_int_fast64_t *until_us)
{
    int64_t until = atomic_load_explicit(until_us, memory_order_relaxed);
    return until != 0 && clock_monotonic_us() < until;
}

void faults_dawdle(void)
{
    if (!lasts(&delayed_until_us))
        return;
    int64_t ms = atomic_load(&delay_ms_now);
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, &pause) == EINTR)
        continue;
}

bool faults_drop_bus(void)
{
    return lasts(&dropping_until_us);
}
