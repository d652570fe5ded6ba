#pragma once
// Jobs with much to do take it in lots, each a transaction of its own, so that none holds its locks for
// long.

#include "lib/db/db.h"

// Does one lot. What it allocates from `arena` lives until it returns, but for the words of its status.
// Sets *more when there may be another.
typedef struct status lot_function(void *context, struct db *db, struct arena *arena, bool *more);

// Lots until nothing is left, one fails, or ten seconds have passed: other jobs want their turn, and a
// stop waits for the job that runs. The words of a failure live as long as `arena`.
struct status lots_run(lot_function *lot, void *context, struct db *db, struct arena *arena);
