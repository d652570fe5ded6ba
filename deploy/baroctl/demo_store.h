#pragma once
// The four databases while a demo is loaded. Rows collect in demo->rows; numbers of sequences come from
// demo_number (demo.h). Failures carry the server's words, which live until demo_close_databases.

#include "deploy/baroctl/databases.h"
#include "deploy/baroctl/demo.h"

// Connects, begins a transaction in each database, makes the partitions of the past. To be closed also
// after a failure.
struct status demo_open_databases(struct demo *demo, const struct audit_urls *urls);
void demo_close_databases(struct demo *demo);

// Reads the order database's clock into demo->now_us.
struct status demo_now(struct demo *demo);

// Fresh ids of a table's identity column, in demo->arena.
struct status demo_take_ids(struct demo *demo, enum demo_database database, const char *table,
                            size_t count, int64_t **ids);

// Sends what has been collected.
struct status demo_flush(struct demo *demo);

// Sends the rest, adds what is made from the rows, and commits: together but for a moment.
struct status demo_commit(struct demo *demo);

// Statistics for the planner.
struct status demo_analyze(struct demo *demo);
