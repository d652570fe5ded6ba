#pragma once
// One PostgreSQL connection and its transactions, in pipeline mode.
//
// A worker owns one connection; it is not thread-safe. Statements are named constants, prepared at
// first use on each connection; parameters and results travel in binary. Writes that nobody reads
// from are queued and sent together with the next read or with COMMIT, so that a batch costs two or
// three round trips however many statements it has:
//
//     db_begin(db);                                   // queued
//     st = db_query(db, &LOAD, PARAMS(..), &rows);     // sends BEGIN and LOAD, waits for both
//     db_queue(db, &SAVE, PARAMS(..));                 // queued
//     st = db_commit(db);                             // sends SAVE and COMMIT, waits for both
//
// After a failure inside a transaction every further call returns that failure until db_rollback or
// db_commit, which end the transaction whatever they answer. The message of a failure lives until
// the next failure on the same db: copy it before handing it to another thread.
// A COMMIT whose answer was lost is STATUS_UNKNOWN with REASON_OUTCOME_UNKNOWN: never "failed"
// (RELIABILITY 3); so is, outside a transaction, anything but a SELECT. Any other lost connection is
// STATUS_UNAVAILABLE; the next db_begin or db_query outside a transaction connects again.

#include "lib/base/arena.h"
#include "lib/base/macros.h"
#include "lib/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

// A named, parameterised statement. `sql` uses $1..$n with explicit casts (`$1::bigint[]`).
struct statement {
    const char *name;
    const char *sql;
};

// One parameter in binary form. Arrays keep a pointer to the caller's memory until the next call
// that waits (db_query, db_execute, db_commit): allocate them from the batch's arena.
typedef struct param {
    enum {
        PARAM_INT64,
        PARAM_BOOL,
        PARAM_TEXT,
        PARAM_BYTES,
        PARAM_INT64S,
        PARAM_TEXTS,
        PARAM_BYTEAS
    } kind;
    const void *data; // NULL: SQL NULL
    size_t length;    // bytes, or number of elements
    int64_t number;
} param;

// A byte string inside a PARAM_BYTEAS array or a result. data NULL: SQL NULL.
typedef struct bytes {
    const uint8_t *data;
    size_t size;
} bytes;

// Int64s stand for bigint and, in microseconds since 1970, for timestamptz parameters that the SQL
// makes with baro_time($1). Elements equal to DB_NULL_INT64 and NULL texts become SQL NULL.
#define DB_NULL_INT64 INT64_MIN
static inline int64_t db_or_null(int64_t value) // 0 stands for nothing
{
    return value ? value : DB_NULL_INT64;
}
param p_int64(int64_t value);
param p_bool(bool value);
param p_text(const char *value);
param p_bytes(const void *data, size_t size);
param p_int64s(const int64_t *values, size_t count);
param p_texts(const char *const *values, size_t count);
param p_byteas(const struct bytes *values, size_t count);

struct params {
    const param *values;
    size_t count;
};
#define PARAMS(...)                                                                                \
    ((struct params){(const param[]){__VA_ARGS__},                                                 \
                     sizeof((const param[]){__VA_ARGS__}) / sizeof(param)})
#define NO_PARAMS ((struct params){NULL, 0})

// A result. Valid until the transaction ends (or, outside one, until the next call on the db).
struct rows {
    void *result;
    size_t count;     // rows
    int64_t affected; // rows that INSERT, UPDATE or DELETE touched
};
bool rows_is_null(const struct rows *rows, size_t row, int column);
// An int2, int4 or int8, or a timestamptz in microseconds; 0 for SQL NULL.
int64_t rows_int64(const struct rows *rows, size_t row, int column);
bool rows_bool(const struct rows *rows, size_t row, int column);
// Borrowed; NULL for SQL NULL.
const char *rows_text(const struct rows *rows, size_t row, int column);
struct bytes rows_bytes(const struct rows *rows, size_t row, int column);

// A column of integers, one for each row, copied into arena.
int64_t *rows_int64s(const struct rows *rows, int column, struct arena *arena);

// Makes a handle for a connection string or URL; connects at first use. application_name is shown
// in pg_stat_activity.
struct db *db_create(const char *url, const char *application_name);
void db_destroy(struct db *db);

// Connects now if not connected. UNAVAILABLE with libpq's words if that fails.
struct status db_connect(struct db *db);

// Waits with backoff until the server answers, at most timeout_ms; logs what it waits for.
struct status db_wait(struct db *db, int64_t timeout_ms);

// Commit and rollback accept a handle without a transaction, as readers have it: what is still queued
// is sent, or its rows are forgotten.
struct status db_begin(struct db *db);
struct status db_commit(struct db *db);
void db_rollback(struct db *db);

// After db_begin, or instead of it for reads: queues what a batch of a dispatcher wants to travel with
// its first statement, the clock's reading and planner settings for finding rows by key (batch.c).
// Without a transaction the settings hold until db_commit or db_rollback, over any number of waits.
struct status db_start_batch(struct db *db);

// Names the batches to come after a span ("00-.."), until it is called again; "": no more. The name is
// borrowed. PostgreSQL shows it as application_name while the batch's transaction runs, in
// pg_stat_activity and in its log (%a), and as the comment of one statement ahead of the batch's; the
// text of no other changes, so plans stay shared.
void db_set_trace(struct db *db, const char *traceparent);

// The database's clock at db_start_batch, in microseconds since 1970. Waits only if nobody has waited
// since. Needs schema_prepare.
struct status db_now(struct db *db, int64_t *now_us);

// The same clock, asked now: a round trip.
struct status db_read_clock(struct db *db, int64_t *now_us);

// Sends what is queued and this statement, waits for the result.
struct status db_query(struct db *db, const struct statement *statement, struct params params,
                       struct rows *rows);

// Queues a write; its failure shows at the next call that waits. Outside a transaction, what is sent
// together is one implicit transaction.
struct status db_queue(struct db *db, const struct statement *statement, struct params params);

// Queues a statement whose rows are filled in when the next call that waits returns: lets a read that
// needs nothing else share that call's round trip. `rows` must live until then.
struct status db_queue_query(struct db *db, const struct statement *statement, struct params params,
                             struct rows *rows);

// Sends what is queued and waits for it.
struct status db_flush(struct db *db);

// A query whose rows nobody needs; *affected may be NULL.
struct status db_execute(struct db *db, const struct statement *statement, struct params params,
                         int64_t *affected);

// Runs a script of several statements (migrations, test set-up) outside any transaction of ours.
struct status db_script(struct db *db, const char *sql);

// The deadline of what follows, on the monotonic clock; 0 for none. A query that outlives it is
// cancelled on the server; nothing is sent, not even COMMIT, once it has passed.
void db_set_deadline(struct db *db, int64_t deadline_us);

// SQLSTATE -> status: the one table at this border (sqlstate.c).
struct status db_status_of_sqlstate(const char *sqlstate, const char *message);

DEFINE_SCOPED(db, db_destroy)
