#include "tests/fault/report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static const char *const WORDS[FAULT_KINDS] = {
    [FAULT_NONE] = "ten seconds without a fault",
    [FAULT_KILLED_AT_POINT] = "killed at a named point",
    [FAULT_KILLED] = "killed anywhere",
    [FAULT_STOPPED_AT_POINT] = "stopped at a named point",
    [FAULT_STOPPED] = "stopped anywhere",
    [FAULT_POSTGRES_CRASH] = "PostgreSQL crashed",
    [FAULT_REDIS_KILLED] = "Redis killed",
    [FAULT_REDIS_EMPTIED] = "Redis emptied",
    [FAULT_REDIS_STOPPED] = "Redis stopped",
    [FAULT_DROPPED] = "messages dropped",
    [FAULT_DELAYED] = "messages delayed",
    [FAULT_DUPLICATED] = "messages duplicated",
    [FAULT_REORDERED] = "messages reordered",
    [FAULT_SLOWED] = "messages in drips",
    [FAULT_CUT] = "connections cut",
    [FAULT_CUT_IN_MESSAGE] = "cut within a message",
    [FAULT_PACKET_LOST] = "packets lost",
    [FAULT_PARTITION] = "partitions",
    [FAULT_SQUEEZED] = "links too narrow",
    [FAULT_COMMIT_CUT] = "cut at a COMMIT",
    [FAULT_DISK_FULL] = "disk full",
    [FAULT_CLOCK_STEP] = "clock stepped",
    [FAULT_NO_DESCRIPTORS] = "no descriptors left",
    [FAULT_NO_MEMORY] = "no memory left",
    [FAULT_RESTARTED] = "restarted in order",
};

static atomic_llong faults[FAULT_KINDS];
static atomic_llong violations;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of the context and of lines
static const char *campaign = "";
static int campaign_round;

const char *fault_kind_word(enum fault_kind kind)
{
    return WORDS[kind];
}

void report_fault(enum fault_kind kind)
{
    report_faults_more(kind, 1);
}

void report_faults_more(enum fault_kind kind, int64_t count)
{
    atomic_fetch_add(&faults[kind], count);
}

int64_t report_faults(enum fault_kind kind)
{
    return atomic_load(&faults[kind]);
}

void report_set_context(const char *name, int round)
{
    pthread_mutex_lock(&lock);
    campaign = name;
    campaign_round = round;
    pthread_mutex_unlock(&lock);
}

void report_violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    printf("VIOLATION in %s, round %d: ", campaign, campaign_round);
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
    atomic_fetch_add(&violations, 1);
}

int64_t report_violations(void)
{
    return atomic_load(&violations);
}

void report_print_faults(void)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (atomic_load(&faults[kind]))
            printf("  %-26s %lld\n", WORDS[kind], (long long)atomic_load(&faults[kind]));
}
