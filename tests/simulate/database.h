#pragma once
// The connections to the databases, and their faults.

#include <stdbool.h>
#include <stdint.h>

struct database;

// Statements whose models are out of date are listed, and run nevertheless (--pins).
extern bool pins_are_listed;

// Of round trips, once in so many; 0: never.
struct database_faults {
    uint64_t lose_connection; // anywhere
    uint64_t lose_answer;     // of a COMMIT that has happened
    uint64_t fail;            // of statements: one fails by itself
    uint64_t slow;            // up to slow_us
    int64_t slow_us;
};

extern struct database_faults database_faults;

struct database_counts {
    uint64_t transactions, connections_lost, answers_lost, failed, crashes, conflicts;
};

extern struct database_counts database_counts;

void databases_begin(void);

// Ends all connections; COMMITs that are under way have happened or not. Back after for_us.
void database_crash(struct database *database, int64_t for_us);
