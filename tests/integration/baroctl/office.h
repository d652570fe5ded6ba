#pragma once
// The four databases of a shop without processes, where the environment names them: what commands find
// that go to the databases.

#include "deploy/baroctl/command.h"

// Makes them empty and sets BARO_*_DATABASE_URL.
void office_open(void);

// One integer that the query yields in the database of a service ("user").
int64_t office_number(const char *service, const char *sql);

// Runs a script there.
void office_run(const char *service, const char *sql);

// Runs a command line, split at spaces; returns its exit status.
int office_baroctl(const char *line);
