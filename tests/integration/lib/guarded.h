#pragma once
// A service on a real server whose one method runs behind a guard: every run of its handler leaves a
// row in the table `effect`.

#include "tests/support/database.h"
#include "tests/support/stand.h"

// A database with the tables of lib/bus and lib/saga, and effect(text, saga_id, compensation).
const char *guarded_database(const char *name);

// Echo, with effects: "refused" is INSUFFICIENT_STOCK, "invalid" a validation error, "broken" a fault.
// Calls wait at the gate when there is one (a handler that is run again waits again).
struct status guarded_echo(struct batch *batch);
extern struct stand_gate *guarded_gate;

// A dispatcher for `row`, on the database; started.
struct dispatcher *guarded_dispatcher(const char *url, const struct method *row, size_t workers);

// Replaces baro_now() by a clock that is ahead by that many seconds.
void guarded_advance(const char *url, int seconds);
