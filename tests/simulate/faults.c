// Each run has its own mixture (swarm testing): most kinds of faults are absent from most runs, so that
// a run can be extreme in one way and still reach states that steady noise would prevent.

#include "tests/simulate/faults.h"

#include "lib/base/macros.h"
#include "tests/simulate/cache.h"
#include "tests/simulate/database.h"
#include "tests/simulate/network.h"
#include "tests/simulate/tables.h"

enum {
    KILLS_MAX = 40,
    STOPS_MAX = 2,
    PAUSES_MAX = 8,
    CRASHES_MAX = 2,
    STEPS_MAX = 3,
    CUTS_MAX = 6,
    CUT_MIN_US = 300000,
    CUT_MAX_US = 12000000,
    DOWN_MIN_US = 5000,
    DOWN_MAX_US = 3000000,
    LATE_US = 12000000,
    PAUSE_MIN_US = 300000,
    PAUSE_MAX_US = 6000000,
    SKEW_US = 2000000000, // of the databases' clocks: far more than a hold lives
    STEP_US = 2000000,    // far less: what waits for a time must not wait for ever
};

struct fault_counts fault_counts;

static struct {
    struct process *processes;
    size_t count;
    bool stopped, clocks_agree;
    uint64_t kill; // at a wait, once in so many
} plan;

static struct {
    enum fault_place place;
    uint64_t nth, seen;
} aim;

// One of the rates, or 0: never.
static uint64_t draw(const uint64_t *rates, size_t count)
{
    return chance_once_in(2) ? 0 : rates[chance_below(count)];
}

static void draw_rates(void)
{
    static const uint64_t WAITS[] = {1500, 500, 150};
    static const uint64_t MESSAGES[] = {200, 50, 20, 8, 3}, TRIPS[] = {5000, 1000, 300},
                          ANSWERS[] = {500, 100, 20};
    network_faults = (struct network_faults){
        .lose = draw(MESSAGES, COUNT(MESSAGES)),
        .duplicate = draw(MESSAGES, COUNT(MESSAGES)),
        .slow = draw(MESSAGES, COUNT(MESSAGES)),
        .slow_us = chance_once_in(2) ? 100000 : LATE_US,
    };
    cache_faults.silent = draw(ANSWERS, COUNT(ANSWERS));
    plan.kill = draw(WAITS, COUNT(WAITS));
    database_faults = (struct database_faults){
        .lose_connection = draw(TRIPS, COUNT(TRIPS)),
        .lose_answer = draw(ANSWERS, COUNT(ANSWERS)),
        .fail = draw(TRIPS, COUNT(TRIPS)),
        .slow = draw(MESSAGES, COUNT(MESSAGES)),
        .slow_us = chance_once_in(2) ? 5000 : 100000,
    };
}

// Half of the time it is one of those that lead the sagas.
static struct process *any_process(void)
{
    struct process *process;
    bool orders = chance_once_in(2);
    do
        process = &plan.processes[chance_below(plan.count)];
    while (orders && process->kind != ORDER);
    return process;
}

bool faults_strike(enum fault_place place, uint64_t once_in)
{
    if (!aim.nth)
        return chance_once_in(once_in);
    return !plan.stopped && place == aim.place && ++aim.seen == aim.nth;
}

void faults_aim(enum fault_place place, uint64_t nth)
{
    aim.place = place;
    aim.nth = nth;
}

bool faults_hit(void)
{
    return aim.seen >= aim.nth;
}

bool faults_kill_here(void)
{
    return !plan.stopped && fault_counts.kills < KILLS_MAX && faults_strike(PLACE_WAIT, plan.kill);
}

bool faults_clocks_agree(void)
{
    return plan.clocks_agree;
}

static void stop_in_order(void *arg, uint64_t token)
{
    struct process *process = any_process();
    (void)arg, (void)token;
    if (plan.stopped || !process->alive || !process->terminator)
        return;
    trace("%s is asked to end", process->name);
    fault_counts.stops++;
    process->terminating = true;
    fiber_wake(process->terminator, fiber_turn(process->terminator));
}

static void pause_one(void *arg, uint64_t token)
{
    (void)arg, (void)token;
    if (plan.stopped)
        return;
    fault_counts.pauses++;
    process_pause(any_process(), chance_between(PAUSE_MIN_US, PAUSE_MAX_US));
}

static void crash_one(void *arg, uint64_t token)
{
    (void)arg, (void)token;
    if (!plan.stopped)
        database_crash(&databases[chance_below(KINDS)], chance_between(DOWN_MIN_US, DOWN_MAX_US));
}

static void lose_cache(void *arg, uint64_t token)
{
    (void)arg, (void)token;
    if (!plan.stopped)
        cache_lose(chance_between(0, DOWN_MAX_US));
}

static void step_clock(void *arg, uint64_t token)
{
    (void)arg, (void)token;
    if (plan.stopped)
        return;
    fault_counts.clock_steps++;
    if (plan.clocks_agree || chance_once_in(2))
        any_process()->wall_offset_us += chance_between(-3600000000, 3600000000);
    else
        databases[chance_below(KINDS)].clock_offset_us += chance_between(-STEP_US, STEP_US);
}

static void cut_one(void *arg, uint64_t token)
{
    enum process_kind a = (enum process_kind)chance_below(KINDS);
    enum process_kind b = (enum process_kind)chance_below(KINDS + 1);
    (void)arg, (void)token;
    if (plan.stopped || a == b)
        return;
    int64_t until_us = world_now_us() + chance_between(CUT_MIN_US, CUT_MAX_US);
    fault_counts.cuts++;
    network_cut(a, b, until_us);
    if (!chance_once_in(3))
        network_cut(b, a, until_us);
}

static void spread(event_run *run, uint64_t most, int64_t until_us)
{
    uint64_t count = chance_once_in(2) ? 0 : chance_below(most + 1);
    for (uint64_t i = 0; i < count; i++)
        world_at(chance_between(world_now_us(), until_us), run, NULL, 0);
}

static void skew_clocks(void)
{
    for (size_t i = 0; i < plan.count; i++) {
        struct process *process = &plan.processes[i];
        process->clock_offset_us = chance_between(1000000, 1000000000000);
        process->clock_drift_ppm = chance_once_in(2) ? 0 : chance_between(-5000, 5000);
        process->wall_offset_us = chance_once_in(2) ? 0 : chance_between(-3600000000, 3600000000);
    }
    plan.clocks_agree = chance_once_in(2);
    for (size_t i = 0; i < KINDS && !plan.clocks_agree; i++)
        databases[i].clock_offset_us = chance_between(-SKEW_US, SKEW_US);
}

void faults_plan(struct process *processes, size_t count, int64_t until_us)
{
    plan.processes = processes;
    plan.count = count;
    plan.stopped = false;
    fault_counts = (struct fault_counts){0};
    aim.seen = 0;
    if (aim.nth) {
        network_faults = (struct network_faults){.slow_us = LATE_US};
        plan.clocks_agree = true;
        return;
    }
    draw_rates();
    skew_clocks();
    spread(cut_one, CUTS_MAX, until_us);
    spread(lose_cache, CRASHES_MAX, until_us);
    spread(stop_in_order, STOPS_MAX, until_us);
    spread(pause_one, PAUSES_MAX, until_us);
    spread(crash_one, CRASHES_MAX, until_us);
    spread(step_clock, STEPS_MAX, until_us);
}

void faults_stop(void)
{
    trace("no more faults");
    plan.stopped = true;
    network_faults = (struct network_faults){0};
    database_faults = (struct database_faults){0};
    cache_faults = (struct cache_faults){0};
    network_heal();
}

static void start_again(void *arg, uint64_t life)
{
    struct process *process = arg;
    if (!process->alive && process->life == life)
        process_start(process);
}

void process_ended(struct process *process)
{
    fault_counts.kills += !process->terminating;
    world_at(world_now_us() + chance_between(DOWN_MIN_US, DOWN_MAX_US), start_again, process,
             process->life);
}
