#include "deploy/baroctl/copy.h"

#include "lib/base/memory.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 * 1024, PIECE = 256 * 1024 };

// PostgreSQL counts microseconds from 2000.
static const int64_t POSTGRES_EPOCH_US = INT64_C(946684800000000);

// Signature, flags, length of the extension; and what ends the rows.
static const char HEADER[] = "PGCOPY\n\377\r\n\0"
                             "\0\0\0\0"
                             "\0\0\0\0";
static const char TRAILER[] = "\377\377";

static void append(struct copy *copy, const void *bytes, size_t size)
{
    while (copy->length + size > copy->capacity) {
        copy->capacity = copy->capacity ? 2 * copy->capacity : FIRST_CAPACITY;
        copy->data = memory_resize(copy->data, copy->capacity, 1);
    }
    if (size)
        memcpy(copy->data + copy->length, bytes, size);
    copy->length += size;
}

void copy_init(struct copy *copy, const struct copy_table *table)
{
    *copy = (struct copy){.table = table, .column_count = 1};
    for (const char *at = table->columns; (at = strchr(at, ',')); at++)
        copy->column_count++;
    append(copy, HEADER, sizeof(HEADER) - 1);
}

void copy_fini(struct copy *copy)
{
    free(copy->data);
    *copy = (struct copy){0};
}

void copy_row(struct copy *copy)
{
    uint16_t count = htobe16(copy->column_count);
    append(copy, &count, sizeof(count));
    copy->rows++;
}

static void append_length(struct copy *copy, int32_t length)
{
    uint32_t wire = htobe32((uint32_t)length);
    append(copy, &wire, sizeof(wire));
}

void copy_int64(struct copy *copy, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    append_length(copy, sizeof(wire));
    append(copy, &wire, sizeof(wire));
}

void copy_id(struct copy *copy, int64_t value)
{
    if (value)
        copy_int64(copy, value);
    else
        append_length(copy, -1);
}

void copy_int32(struct copy *copy, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    append_length(copy, sizeof(wire));
    append(copy, &wire, sizeof(wire));
}

void copy_int16(struct copy *copy, int16_t value)
{
    uint16_t wire = htobe16((uint16_t)value);
    append_length(copy, sizeof(wire));
    append(copy, &wire, sizeof(wire));
}

void copy_bool(struct copy *copy, bool value)
{
    char wire = value ? 1 : 0;
    copy_bytes(copy, &wire, 1);
}

void copy_time(struct copy *copy, int64_t time_us)
{
    copy_id(copy, time_us ? time_us - POSTGRES_EPOCH_US : 0);
}

void copy_text(struct copy *copy, const char *text)
{
    copy_bytes(copy, text, text ? strlen(text) : 0);
}

void copy_bytes(struct copy *copy, const void *data, size_t size)
{
    append_length(copy, data ? (int32_t)size : -1);
    if (data)
        append(copy, data, size);
}

static struct status failure(PGconn *connection)
{
    return refuse(REASON_UNAVAILABLE, PQerrorMessage(connection));
}

static struct status start(const struct copy *copy, PGconn *connection)
{
    char sql[512];
    snprintf(sql, sizeof(sql), "COPY %s (%s) FROM STDIN (FORMAT binary)", copy->table->name,
             copy->table->columns);
    PGresult *result = PQexec(connection, sql);
    bool ready = PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    return ready ? OK : failure(connection);
}

static struct status finish(PGconn *connection)
{
    struct status st = PQputCopyEnd(connection, NULL) == 1 ? OK : failure(connection);
    for (PGresult *result; (result = PQgetResult(connection)); PQclear(result))
        if (!failed(st) && PQresultStatus(result) != PGRES_COMMAND_OK)
            st = failure(connection);
    return st;
}

struct status copy_send(struct copy *copy, PGconn *connection)
{
    if (copy->rows == 0)
        return OK;
    append(copy, TRAILER, sizeof(TRAILER) - 1);
    struct status st = start(copy, connection);
    for (size_t at = 0; !failed(st) && at < copy->length; at += PIECE) {
        size_t size = copy->length - at < PIECE ? copy->length - at : PIECE;
        if (PQputCopyData(connection, copy->data + at, (int)size) != 1)
            st = failure(connection);
    }
    if (!failed(st))
        st = finish(connection);
    copy->length = sizeof(HEADER) - 1;
    copy->rows = 0;
    return st;
}
