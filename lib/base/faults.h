#pragma once
// What a process suffers on demand, so that people can watch the shop recover: the console's fault
// panel. Nothing here happens unless faults_allow() was called, which a setting must ask for and which
// refuses wherever processes talk over a network. Thread-safe.

#include "lib/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum fault {
    FAULT_KILL,     // the process dies as by kill -9, a moment later
    FAULT_DELAY,    // each batch waits before it begins
    FAULT_DROP_BUS, // nothing is published
};

// Allows faults in this process. INVALID_ARGUMENT unless all `addresses` (comma-separated) are sockets of
// this machine ("ipc://.."): a demonstration, not a shop that others use.
struct status faults_allow(const char *addresses);

// The same at the start of a program: one line on standard error and exit 2 where they are refused.
void faults_allow_or_exit(const char *program, const char *addresses);

bool faults_are_allowed(void);

// Begins one, for duration_ms; a fault of the same kind that is under way is replaced. delay_ms is how
// long each batch waits. Does nothing where faults are not allowed.
void faults_begin(enum fault fault, int64_t duration_ms, int64_t delay_ms);

// Waits as a FAULT_DELAY asks; at once without one.
void faults_dawdle(void);

// True while a FAULT_DROP_BUS lasts.
bool faults_drop_bus(void);
