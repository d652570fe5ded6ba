#pragma once
// What must hold: SPEC 8, and that nobody was told what is not so.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Nothing is under way: every saga has ended, every hold and reservation has found its end, every event
// was consumed.
bool laws_at_rest(void);

// Says what keeps the run from coming to rest.
void laws_unrest(void);

// Counts and prints what is broken. `at_rest` asks for everything, else for what holds between any two
// transactions.
size_t laws_check(bool at_rest, bool print);

// Sagas of the run that have ended.
size_t laws_sagas(void);

// How many orders came to each status in this run, added to what is there.
enum { LAWS_STATUSES = 13 };
void laws_count_statuses(uint64_t reached[LAWS_STATUSES]);
const char *laws_status_name(size_t status);
