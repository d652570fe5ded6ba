#pragma once
// What a run did and saw: faults by kind, and violations, of which one is too many.

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_KILLED_AT_POINT,
    FAULT_KILLED,
    FAULT_STOPPED_AT_POINT,
    FAULT_STOPPED,
    FAULT_POSTGRES_CRASH,
    FAULT_REDIS_KILLED,
    FAULT_REDIS_EMPTIED,
    FAULT_REDIS_STOPPED,
    FAULT_DROPPED,
    FAULT_DELAYED,
    FAULT_DUPLICATED,
    FAULT_REORDERED,
    FAULT_SLOWED,
    FAULT_CUT,
    FAULT_CUT_IN_MESSAGE,
    FAULT_PACKET_LOST,
    FAULT_PARTITION,
    FAULT_SQUEEZED,
    FAULT_COMMIT_CUT,
    FAULT_DISK_FULL,
    FAULT_CLOCK_STEP,
    FAULT_NO_DESCRIPTORS,
    FAULT_NO_MEMORY,
    FAULT_RESTARTED,
    FAULT_KINDS
};

const char *fault_kind_word(enum fault_kind kind);

// Thread-safe.
void report_fault(enum fault_kind kind);
void report_faults_more(enum fault_kind kind, int64_t count);
int64_t report_faults(enum fault_kind kind);

// Prints the sentence and counts it. Thread-safe.
void report_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
int64_t report_violations(void);

// What it has to do with: printed with each violation.
void report_set_context(const char *campaign, int round);

// Prints the faults by kind.
void report_print_faults(void);
