#pragma once
// What a model of a statement sees: parameters, transaction, tables; and the rows that it makes.
//
// A statement is modelled by a function under its name. It first finds what its snapshot shows, then
// locks rows in the order of its ORDER BY and looks at each again, as READ COMMITTED does.

#include "lib/base/arena.h"
#include "tests/simulate/tables.h"

#include <string.h>

struct cell {
    int64_t number;
    const void *data; // of a text or bytes
    size_t size;
    bool is_null;
};

struct result {
    size_t columns, count, capacity;
    struct cell *cells;
};

struct query {
    struct transaction *tx;
    struct tables *tables;
    const struct database *database;
    const param *params;
    struct arena *arena; // until the transaction ends
    struct result *result;
    int64_t affected;
};

struct sql {
    const char *name;
    uint32_t pin; // of the statement's text: see pins.h
    sqlstate (*run)(struct query *query);
};

struct sql_list {
    const struct sql *rows;
    size_t count;
};

extern const struct sql_list sql_lib, sql_user, sql_product, sql_coupon, sql_order;

// The clock of the database, in microseconds since 1970.
int64_t database_now_us(const struct database *database);

// Parameters, counted from 1 like $1.
static inline int64_t q_number(const struct query *query, int n)
{
    return query->params[n - 1].number;
}

static inline const char *q_text(const struct query *query, int n)
{
    return query->params[n - 1].data;
}

static inline size_t q_count(const struct query *query, int n)
{
    return query->params[n - 1].length;
}

// Element i of an array; NULL is 0.
static inline int64_t q_numbers(const struct query *query, int n, size_t i)
{
    int64_t value = ((const int64_t *)query->params[n - 1].data)[i];
    return value == DB_NULL_INT64 ? 0 : value;
}

const char *q_texts(const struct query *query, int n, size_t i);  // a copy for the run
struct bytes q_bytes(const struct query *query, int n, size_t i); // the same
int64_t q_now(const struct query *query);
// The transaction's time $n milliseconds from now.
int64_t q_after(const struct query *query, int n);

// Ids of an array in ascending order, each once.
const int64_t *q_sorted(const struct query *query, int n, size_t *count);

// One more row of so many columns.
struct cell *q_emit(struct query *query, size_t columns);
struct cell c_number(int64_t value);
struct cell c_or_null(int64_t value); // 0: NULL
struct cell c_text(const char *value);
struct cell c_bytes(struct bytes value);

// INSERT INTO .._given_back .. ON CONFLICT DO NOTHING, of $1.
sqlstate note_given_back(struct query *query);

// Copies a text into a key of fixed size.
void copy_key(char *into, size_t size, const char *text);
