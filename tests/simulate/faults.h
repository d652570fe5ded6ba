#pragma once
// What goes wrong in a run, and when.

#include "tests/simulate/world.h"

// Draws this run's kinds and rates of faults and plans them over the time from now to until_us.
void faults_plan(struct process *processes, size_t count, int64_t until_us);

// From now on nothing goes wrong.
void faults_stop(void);

// Where something can go wrong each time that it comes by.
enum fault_place {
    PLACE_WAIT, // a process waits, and may die
    PLACE_TRIP, // to a database: the connection may be lost
    PLACE_STATEMENT,
    PLACE_COMMIT, // its answer may be lost
    PLACE_LOST,   // messages
    PLACE_DOUBLED,
    PLACE_LATE,
    PLACES
};

// Whether it goes wrong this time: once in so many, or where the run aims.
bool faults_strike(enum fault_place place, uint64_t once_in);

// Of the runs from now on: nothing goes wrong but at the nth time at one place. 0: they draw as usual.
void faults_aim(enum fault_place place, uint64_t nth);

// Whether this run came to where it aimed.
bool faults_hit(void);

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
