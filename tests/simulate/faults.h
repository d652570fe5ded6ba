#pragma once
// What goes wrong in a run, and when.

#include "tests/simulate/world.h"

// Draws this run's kinds and rates of faults and plans them over the time from now to until_us.
void faults_plan(struct process *processes, size_t count, int64_t until_us);

// From now on nothing goes wrong.
void faults_stop(void);

// Asked wherever a process waits: whether it dies here.
bool faults_kill_here(void);

// True in runs in which the databases' clocks agree all the time.
bool faults_clocks_agree(void);

struct fault_counts {
    uint64_t kills, stops, pauses, cuts, clock_steps;
};

extern struct fault_counts fault_counts;

// A life has ended: another begins.
void process_ended(struct process *process);
