#pragma once
// Rows for COPY in PostgreSQL's binary format, collected in memory and sent a table at a time. A row is
// begun, then its columns are added in the order in which the table names them.

#include "lib/base/status.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where rows go: {"orders", "id, user_id"}.
struct copy_table {
    const char *name;
    const char *columns;
};

struct copy {
    const struct copy_table *table;
    char *data;
    size_t length, capacity;
    uint16_t column_count;
    int64_t rows; // collected since the last copy_send
};

void copy_init(struct copy *copy, const struct copy_table *table);
void copy_fini(struct copy *copy);

void copy_row(struct copy *copy);
void copy_int64(struct copy *copy, int64_t value);
// A bigint that is NULL for 0.
void copy_id(struct copy *copy, int64_t value);
void copy_int32(struct copy *copy, int32_t value);
void copy_int16(struct copy *copy, int16_t value);
void copy_bool(struct copy *copy, bool value);
// Microseconds since 1970; NULL for 0.
void copy_time(struct copy *copy, int64_t time_us);
// NULL for NULL.
void copy_text(struct copy *copy, const char *text);
void copy_bytes(struct copy *copy, const void *data, size_t size);

// Sends what was collected and forgets it. The message of a failure is the connection's.
struct status copy_send(struct copy *copy, PGconn *connection);
