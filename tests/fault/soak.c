// What a process has after its first strikes is what it needs; later it may have little more. Queues, arenas
// and caches fill up at different times, so a short run permits much, and an hour of a long one little.

#include "tests/fault/soak.h"

#include "lib/base/clock.h"
#include "tests/fault/campaigns.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"
#include "tests/support/descriptors.h"

#include <stdio.h>
#include <unistd.h>

enum { STRIKE_MS = 10000, WARM_STRIKES = 6, SPARE_KB = 16384, HOURLY_KB = 1024, SPARE_FILES = 16 };

struct footprint {
    pid_t pid;
    int64_t at_us, resident_kb;
    int64_t files;
};

static struct footprint measure(pid_t pid)
{
    char path[64];
    long resident = 0;
    struct footprint footprint = {.pid = pid, .at_us = clock_monotonic_us()};
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*d %ld", &resident) != 1)
        resident = 0;
    if (file)
        fclose(file);
    footprint.resident_kb = resident * (sysconf(_SC_PAGESIZE) / 1024);
    footprint.files = open_descriptors(pid);
    return footprint;
}

static void compare(const struct process *process, const struct footprint *first,
                    const struct footprint *now)
{
    int64_t hours = (now->at_us - first->at_us) / US_PER_S / 3600;
    int64_t more_kb = now->resident_kb - first->resident_kb;
    if (more_kb > SPARE_KB + hours * HOURLY_KB)
        report_violation("%s-%d has %lld KB more than at first, after %lld s", process->name,
                         process->replica, (long long)more_kb,
                         (long long)((now->at_us - first->at_us) / US_PER_S));
    if (now->files > first->files + SPARE_FILES)
        report_violation("%s-%d has %lld descriptors instead of %lld", process->name,
                         process->replica, (long long)now->files, (long long)first->files);
}

void soak(struct ground *ground)
{
    static struct footprint firsts[PROCESSES_MAX];
    static int strikes;
    pause_ms(STRIKE_MS);
    report_fault(FAULT_NONE);
    strikes++;
    for (int i = 0; i < ground->cluster->count; i++) {
        const struct process *process = &ground->cluster->processes[i];
        struct footprint now = measure(process->pid);
        if (strikes <= WARM_STRIKES || firsts[i].pid != process->pid)
            firsts[i] = now;
        else
            compare(process, &firsts[i], &now);
    }
}
