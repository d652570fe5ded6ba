#pragma once
// Real servers for tests: an empty database of one's own, and Redis.
//
// The servers are the ones that the environment names (tests/run-all sets it). Without them a test
// fails; it is never skipped.

#include "lib/db/db.h"

// Creates an empty database for this test process on the server of BARO_ADMIN_DATABASE_URL and
// returns its URL. `name` is a word of [a-z0-9_] that people recognise. It is dropped when the
// process exits, or by a later run if the process was killed.
const char *test_database(const char *name);

// The same, with the functions of schema_prepare() in it, and a connected handle.
struct db *test_db(const char *name);

// A database of that name, for the server's superuser; static until the next call.
const char *test_admin_url(const char *name);

// The value of BARO_REDIS_URL.
const char *test_redis_url(void);

// Runs a script, or ends the test with its error.
void test_script(struct db *db, const char *sql);

// The integer that a query without parameters yields in its first row and column. The statement is
// run over a connection of its own, so it sees only what is committed.
int64_t test_number(const char *url, const char *sql);
