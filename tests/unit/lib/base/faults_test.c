// Faults happen where they are allowed, for as long as they were asked for, and nowhere else.

#include "lib/base/faults.h"

#include "lib/base/clock.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t dawdled_us(void)
{
    int64_t before_us = clock_monotonic_us();
    faults_dawdle();
    return clock_monotonic_us() - before_us;
}

Test(faults, nothing_happens_where_they_are_not_allowed)
{
    faults_begin(FAULT_DROP_BUS, 60000, 0);
    faults_begin(FAULT_DELAY, 60000, 60000);
    faults_begin(FAULT_KILL, 0, 0);
    cr_expect_not(faults_are_allowed());
    cr_expect_not(faults_drop_bus());
    cr_expect_lt(dawdled_us(), 30 * US_PER_S);
}

Test(faults, they_are_refused_where_processes_talk_over_a_network)
{
    cr_expect(failed(faults_allow("tcp://127.0.0.1:7101")));
    cr_expect(failed(faults_allow("ipc:///a.rpc,tls+tcp://b:1")));
    cr_expect_not(faults_are_allowed());
    cr_expect_not(failed(faults_allow("ipc:///a.rpc, ipc:///b.rpc")));
    cr_expect(faults_are_allowed());
}

Test(faults, a_delay_holds_up_work_until_it_is_over)
{
    faults_allow("ipc:///a");
    faults_begin(FAULT_DELAY, 60000, 20);
    cr_expect_geq(dawdled_us(), 20 * US_PER_MS);
    faults_begin(FAULT_DELAY, 0, 20000);
    cr_expect_lt(dawdled_us(), 10 * US_PER_S);
}

Test(faults, the_bus_is_heard_again_after_its_time)
{
    faults_allow("ipc:///a");
    faults_begin(FAULT_DROP_BUS, 60000, 0);
    cr_expect(faults_drop_bus());
    faults_begin(FAULT_DROP_BUS, 0, 0);
    cr_expect_not(faults_drop_bus());
}

Test(faults, a_kill_cannot_be_survived)
{
    pid_t child = fork();
    if (child == 0) {
        faults_allow("ipc:///a");
        faults_begin(FAULT_KILL, 0, 0);
        for (;;)
            pause();
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
