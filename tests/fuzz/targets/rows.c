// A result of PostgreSQL, with columns of each type and values that may be NULL: integers, times, truth
// values and texts come out as they went in. And SQLSTATEs: every one is some status.

#include "lib/base/macros.h"
#include "lib/db/db.h"
#include "tests/fuzz/fuzz.h"

#include <endian.h>
#include <libpq-fe.h>
#include <string.h>

#define EPOCH_SHIFT_US INT64_C(946684800000000) // 1970 to 2000

enum { INT8, INT4, INT2, TIME, BOOL, TEXT, BYTES, COLUMNS };

static const struct {
    Oid type;
    int size; // 0: any
} KINDS[COLUMNS] = {
    [INT8] = {20,   8},
      [INT4] = {23,   4},
      [INT2] = {21,   2},
      [TIME] = {1184, 8},
    [BOOL] = {16,   1},
      [TEXT] = {25,   0},
      [BYTES] = {17,   0},
};

struct value {
    bool null;
    char *bytes;
    size_t length;
    int64_t number;
};

static PGresult *make_result(void)
{
    static char name[] = "column";
    PGresAttDesc columns[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        columns[i] = (PGresAttDesc){.name = name, .typid = KINDS[i].type, .format = 1};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    int made = result && PQsetResultAttrs(result, COLUMNS, columns);
    assert(made);
    return result;
}

static struct value make_value(struct input *input, int column, struct arena *arena)
{
    struct value value = {.null = input_byte(input) % 4 == 0};
    if (KINDS[column].size == 0) {
        value.bytes = input_line(input, arena, &value.length);
        return value;
    }
    uint64_t wire = (uint64_t)input_number(input) << (64 - 8 * KINDS[column].size);
    value.number = (int64_t)wire >> (64 - 8 * KINDS[column].size);
    wire = htobe64(wire);
    value.bytes = arena_copy(arena, &wire, sizeof(wire));
    value.length = (size_t)KINDS[column].size;
    return value;
}

static void check_text(const struct rows *rows, size_t row, struct value value)
{
    const char *text = rows_text(rows, row, TEXT);
    assert(value.null ? !text : memcmp(text, value.bytes, value.length) == 0);
    struct bytes same = rows_bytes(rows, row, TEXT);
    assert(value.null ? !same.data : same.size == value.length);
}

static int64_t expected_number(int column, struct value value)
{
    int64_t shifted;
    if (value.null)
        return 0;
    if (column != TIME || value.number == INT64_MIN ||
        __builtin_add_overflow(value.number, EPOCH_SHIFT_US, &shifted))
        return value.number;
    return shifted;
}

static void check(const struct rows *rows, size_t row, int column, struct value value)
{
    assert(rows_is_null(rows, row, column) == value.null);
    if (column == TEXT)
        check_text(rows, row, value);
    else if (column == BYTES)
        assert(value.null || rows_bytes(rows, row, column).size == value.length);
    else if (column == BOOL)
        assert(rows_bool(rows, row, column) == (!value.null && value.number != 0));
    else
        assert(rows_int64(rows, row, column) == expected_number(column, value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    struct status st = db_status_of_sqlstate(input_line(&input, arena, NULL), "");
    assert(failed(st));
    PGresult *result = make_result();
    struct rows rows = {.result = result};
    while (!input_is_empty(&input)) {
        int row = (int)rows.count++;
        for (int i = 0; i < COLUMNS; i++) {
            struct value value = make_value(&input, i, arena);
            int length = value.null ? -1 : (int)value.length;
            PQsetvalue(result, row, i, value.bytes, length);
            check(&rows, (size_t)row, i, value);
        }
    }
    PQclear(result);
    return 0;
}
