// Values of a result, read from PostgreSQL's binary format.
//
// Asking for a column as something that it is not is a programming error, found by the first test
// that runs the statement: cast in the SQL (`sum(amount)::bigint`, `payload::text`).

#include "lib/db/pipeline.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

// PostgreSQL counts from 2000-01-01, we count from 1970-01-01.
#define EPOCH_SHIFT_US INT64_C(946684800000000)

static const char *value_at(const struct rows *rows, size_t row, int column)
{
    assert(rows->result && row < rows->count && column < PQnfields(rows->result));
    return PQgetvalue(rows->result, (int)row, column);
}

bool rows_is_null(const struct rows *rows, size_t row, int column)
{
    assert(rows->result && row < rows->count && column < PQnfields(rows->result));
    return PQgetisnull(rows->result, (int)row, column);
}

static int64_t read_int64(const char *from)
{
    uint64_t wire;
    memcpy(&wire, from, sizeof(wire));
    return (int64_t)be64toh(wire);
}

static int64_t read_time(const char *from)
{
    // 'infinity' and '-infinity' are the ends of the range on both sides.
    int64_t since_2000_us = read_int64(from);
    int64_t since_1970_us;
    if (since_2000_us == INT64_MIN ||
        __builtin_add_overflow(since_2000_us, EPOCH_SHIFT_US, &since_1970_us))
        return since_2000_us;
    return since_1970_us;
}

int64_t rows_int64(const struct rows *rows, size_t row, int column)
{
    if (rows_is_null(rows, row, column))
        return 0;
    const char *from = value_at(rows, row, column);
    uint32_t four;
    uint16_t two;
    switch (PQftype(rows->result, column)) {
    case OID_INT8:
        return read_int64(from);
    case OID_INT4:
        memcpy(&four, from, sizeof(four));
        return (int32_t)be32toh(four);
    case OID_INT2:
        memcpy(&two, from, sizeof(two));
        return (int16_t)be16toh(two);
    case OID_TIMESTAMPTZ:
        return read_time(from);
    default:
        assert(false && "the column is no integer and no timestamptz");
        return 0;
    }
}

bool rows_bool(const struct rows *rows, size_t row, int column)
{
    if (rows_is_null(rows, row, column))
        return false;
    assert(PQftype(rows->result, column) == OID_BOOL);
    return *value_at(rows, row, column) != 0;
}

static bool is_text(Oid type)
{
    return type == OID_TEXT || type == OID_VARCHAR || type == OID_BPCHAR || type == OID_NAME ||
           type == OID_JSON;
}

const char *rows_text(const struct rows *rows, size_t row, int column)
{
    if (rows_is_null(rows, row, column))
        return NULL;
    assert(is_text(PQftype(rows->result, column)));
    return value_at(rows, row, column);
}

struct bytes rows_bytes(const struct rows *rows, size_t row, int column)
{
    if (rows_is_null(rows, row, column))
        return (struct bytes){NULL, 0};
    Oid type = PQftype(rows->result, column);
    assert(type == OID_BYTEA || is_text(type));
    return (struct bytes){(const uint8_t *)value_at(rows, row, column),
                          (size_t)PQgetlength(rows->result, (int)row, column)};
}

int64_t *rows_int64s(const struct rows *rows, int column, struct arena *arena)
{
    int64_t *values = arena_array(arena, rows->count, sizeof(*values));
    for (size_t row = 0; row < rows->count; row++)
        values[row] = rows_int64(rows, row, column);
    return values;
}
