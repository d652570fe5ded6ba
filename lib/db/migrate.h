#pragma once
// Forward-only migrations: services/X/migrations/0001_words.sql, in order, each once.
//
// Each file's checksum is recorded in table `migration`; a recorded file that has changed is refused.
// Runs under a transaction's advisory lock, so any number of replicas may start at once. Statements run
// one by one inside one transaction per file.

#include "lib/db/db.h"

// One migration, compiled into the executable (build/services/X/migrations.c).
struct migration {
    const char *name; // "0001_wallet.sql"
    const char *sql;
};

// Applies what is missing. FAILED_PRECONDITION names a recorded file that has changed. Files that are
// recorded but unknown here are tolerated: a newer replica's, beside which this one still runs.
struct status migrate(struct db *db, const struct migration *migrations, size_t count);

// OK when all of them are recorded; FAILED_PRECONDITION names the first that is not. Changes nothing.
struct status migrate_check(struct db *db, const struct migration *migrations, size_t count);
