// Statements in flight.
//
// The socket never blocks: while a large batch goes out, answers are read as they come, so that
// neither side waits for the other with full buffers. A wait ends at the sync point. Everything
// before it counts only if nothing before it failed: PostgreSQL skips to the sync point after an
// error, and also takes back what had answered well.
//
// Deadlines cost nothing while they hold: when one passes, we send a cancel request, which is what
// statement_timeout would have done, without a SET in every transaction and without session state
// that PgBouncer would lose. A COMMIT is never cancelled: cancelled in its wait for a standby it
// reports success without being safe there.

#include "lib/db/pipeline.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How long after the deadline a server may take to answer a cancel request or a COMMIT.
#define GRACE_US (2 * US_PER_S)

void *db_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 32;
    return memory_resize(items, *capacity, size);
}

void db_clear_results(struct db *db)
{
    for (size_t i = 0; i < db->result_count; i++)
        PQclear(db->results[i]);
    db->result_count = 0;
}

static size_t find_prepared(struct db *db, const struct statement *statement)
{
    for (size_t i = 0; i < db->prepared_count; i++)
        if (db->prepared[i].statement == statement)
            return i;
    for (size_t i = 0; i < db->prepared_count; i++)
        assert(strcmp(db->prepared[i].statement->name, statement->name) != 0);
    db->prepared =
        db_grow(db->prepared, db->prepared_count, &db->prepared_capacity, sizeof(*db->prepared));
    db->prepared[db->prepared_count] = (struct prepared){statement, PREPARE_NEEDED};
    return db->prepared_count++;
}

static void remember(struct db *db, struct pending pending)
{
    db->pending =
        db_grow(db->pending, db->pending_count, &db->pending_capacity, sizeof(*db->pending));
    db->pending[db->pending_count++] = pending;
}

// The connection is gone. After COMMIT was handed to the network nobody can say what became of it,
// unless the server had already answered it.
static struct status lost(struct db *db, struct status st)
{
    enum transaction_state state = db->transaction;
    db_close(db);
    if (state == TRANSACTION_COMMITTED)
        return OK;
    if (state == TRANSACTION_COMMITTING)
        return (struct status){STATUS_UNKNOWN, REASON_OUTCOME_UNKNOWN, NULL, db->message};
    return st;
}

static struct status lost_connection(struct db *db)
{
    snprintf(db->message, sizeof(db->message), "%s", PQerrorMessage(db->connection));
    db->message[strcspn(db->message, "\n")] = '\0';
    return lost(db, (struct status){STATUS_UNAVAILABLE, REASON_UNAVAILABLE, NULL, db->message});
}

static struct status sent(struct db *db, size_t prepared, struct rows *rows)
{
    remember(db, (struct pending){PENDING_RUN, prepared, rows});
    metric_add(db->metrics.queries, 1);
    return OK;
}

struct status db_send(struct db *db, const struct statement *statement, struct params params,
                      struct rows *rows)
{
    struct encoded encoded;
    db_encode(db, params, &encoded);
    size_t index = find_prepared(db, statement);
    int count = (int)params.count;
    if (db->prepared[index].state == PREPARE_NEEDED) {
        if (!PQsendPrepare(db->connection, statement->name, statement->sql, count, encoded.types))
            return lost_connection(db);
        db->prepared[index].state = PREPARE_SENT;
        remember(db, (struct pending){PENDING_PREPARE, index, NULL});
    }
    if (!PQsendQueryPrepared(db->connection, statement->name, count, encoded.values,
                             encoded.lengths, encoded.formats, 1))
        return lost_connection(db);
    return sent(db, index, rows);
}

struct status db_send_commented(struct db *db, const struct statement *statement,
                                struct params params, const char *comment)
{
    struct encoded encoded;
    char sql[256];
    db_encode(db, params, &encoded);
    int length = snprintf(sql, sizeof(sql), "%s /*%s*/", statement->sql, comment);
    assert(length > 0 && (size_t)length < sizeof(sql));
    if (!PQsendQueryParams(db->connection, sql, (int)params.count, encoded.types, encoded.values,
                           encoded.lengths, encoded.formats, 1))
        return lost_connection(db);
    return sent(db, find_prepared(db, statement), NULL);
}

static int milliseconds_until(int64_t when_us)
{
    int64_t left_us = when_us - clock_monotonic_us();
    return left_us > 0 ? (int)((left_us + US_PER_MS - 1) / US_PER_MS) : 0;
}

// Asks the server to give up what it runs for us. Costs a connection of its own, for a moment; a
// server that does not even take that in time is given up with our connection.
static void cancel(struct db *db, int64_t limit_us)
{
    PGcancelConn *request = PQcancelCreate(db->connection);
    if (request && PQcancelStart(request)) {
        PostgresPollingStatusType want = PGRES_POLLING_WRITING;
        while (want != PGRES_POLLING_OK && want != PGRES_POLLING_FAILED) {
            struct pollfd socket = {.fd = PQcancelSocket(request),
                                    .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};
            if (poll(&socket, 1, milliseconds_until(limit_us)) == 0)
                break;
            want = PQcancelPoll(request);
        }
    }
    PQcancelFinish(request);
}

// A wait for answers: until when, and whether the server was told that we lost patience.
struct wait {
    int64_t limit_us; // 0: for ever
    bool may_cancel;
};

static struct wait wait_of(const struct db *db)
{
    if (!db->deadline_us)
        return (struct wait){0, false};
    bool cancellable = db->transaction == TRANSACTION_NONE || db->transaction == TRANSACTION_OPEN;
    return (struct wait){cancellable ? db->deadline_us : db->deadline_us + GRACE_US, cancellable};
}

// Waits until the socket is worth trying again. False when the server let the limit pass.
static bool await_socket(struct db *db, struct wait *wait, bool writing)
{
    for (;;) {
        struct pollfd socket = {.fd = PQsocket(db->connection),
                                .events = (short)(POLLIN | (writing ? POLLOUT : 0))};
        int ready = poll(&socket, 1, wait->limit_us ? milliseconds_until(wait->limit_us) : -1);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
        if (ready < 0 || !wait->limit_us || clock_monotonic_us() < wait->limit_us)
            continue;
        if (!wait->may_cancel)
            return false;
        *wait = (struct wait){wait->limit_us + GRACE_US, false};
        cancel(db, wait->limit_us);
    }
}

// Sends what is left and receives until a result is complete. On a broken connection libpq makes
// one up, after any farewell of the server. False when the limit passed.
static bool receive(struct db *db, struct wait *wait, PGresult **result)
{
    for (;;) {
        int unsent = PQflush(db->connection);
        if (!PQisBusy(db->connection) || unsent < 0 || PQstatus(db->connection) == CONNECTION_BAD)
            break;
        if (!await_socket(db, wait, unsent == 1))
            return false;
        if (!PQconsumeInput(db->connection))
            break;
    }
    *result = PQgetResult(db->connection);
    return true;
}

static void accept_result(struct db *db, const struct pending *pending, PGresult *result)
{
    if (pending->kind == PENDING_PREPARE) {
        db->prepared[pending->prepared].state = PREPARE_DONE;
        PQclear(result);
        return;
    }
    if (db->transaction == TRANSACTION_COMMITTING && strcmp(PQcmdStatus(result), "COMMIT") == 0)
        db->transaction = TRANSACTION_COMMITTED;
    if (!pending->rows) {
        PQclear(result);
        return;
    }
    db->results = db_grow(db->results, db->result_count, &db->result_capacity, sizeof(PGresult *));
    db->results[db->result_count++] = result;
    *pending->rows = (struct rows){.result = result,
                                   .count = (size_t)PQntuples(result),
                                   .affected = strtoll(PQcmdTuples(result), NULL, 10)};
}

static struct status status_of_error(struct db *db, const struct statement *statement,
                                     const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    snprintf(db->message, sizeof(db->message), "%s (%s%s%s%s%s)",
             words ? words : PQresultErrorMessage(result), sqlstate ? sqlstate : "no SQLSTATE",
             statement ? ", statement " : "", statement ? statement->name : "",
             constraint ? ", constraint " : "", constraint ? constraint : "");
    metric_add(db->metrics.errors, 1);
    return db_status_of_sqlstate(sqlstate, db->message);
}

// After FATAL and PANIC, and after an error of libpq's own, the connection is over.
static bool ends_connection(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return !severity || strcmp(severity, "ERROR") != 0;
}

// A plan or a prepared statement that the server no longer stands by: a new connection makes both
// anew. Happens when a migration changes a table, or when a pooler swaps the server.
static bool is_stale(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate && (strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0);
}

static struct status silent(struct db *db)
{
    snprintf(db->message, sizeof(db->message), "the database did not answer in time");
    return lost(
        db, (struct status){STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED, NULL, db->message});
}

static void forget_unanswered(struct db *db)
{
    db->pending_count = 0;
    for (size_t i = 0; i < db->prepared_count; i++)
        if (db->prepared[i].state == PREPARE_SENT)
            db->prepared[i].state = PREPARE_NEEDED;
}

// One reading of answers, up to the sync point or the end of a script.
struct reading {
    struct wait wait;
    size_t next;      // index of the command whose answer comes next
    struct status st; // the first error
    bool stale;       // make a new connection afterwards
    bool over;        // the server or libpq has ended the connection
};

static void take_error(struct db *db, struct reading *reading, const PGresult *result)
{
    const struct statement *statement = NULL;
    if (reading->next < db->pending_count)
        statement = db->prepared[db->pending[reading->next].prepared].statement;
    reading->over = ends_connection(result);
    reading->stale = reading->stale || is_stale(result);
    if (!failed(reading->st))
        reading->st = status_of_error(db, statement, result);
    // After a plain error the server skips the COMMIT behind it, or has refused the COMMIT itself.
    if (!reading->over && db->transaction == TRANSACTION_COMMITTING)
        db->transaction = TRANSACTION_OPEN;
}

// Takes in one answer. False at the sync point, and when the connection is over.
static bool take_result(struct db *db, struct reading *reading, PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);
    if ((kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK) &&
        reading->next < db->pending_count) {
        accept_result(db, &db->pending[reading->next], result);
        return true;
    }
    if (kind == PGRES_FATAL_ERROR)
        take_error(db, reading, result);
    PQclear(result);
    return kind != PGRES_PIPELINE_SYNC && !reading->over;
}

static struct status finish(struct db *db, const struct reading *reading)
{
    if (reading->over)
        return lost(db, reading->st);
    forget_unanswered(db);
    if (reading->stale)
        db_close(db);
    return reading->st;
}

// The next answer, past the NULL that ends each command's. Writes NULL when none will come; the
// connection is closed then and the result is what that means for the transaction.
static struct status next_answer(struct db *db, struct reading *reading, PGresult **result)
{
    for (;;) {
        *result = NULL;
        if (!receive(db, &reading->wait, result))
            return silent(db);
        if (*result)
            return OK;
        if (PQstatus(db->connection) != CONNECTION_OK)
            return lost_connection(db);
        reading->next++;
    }
}

struct status db_sync(struct db *db)
{
    struct reading reading = {.wait = wait_of(db)};
    if (!PQpipelineSync(db->connection))
        return lost_connection(db);
    for (;;) {
        PGresult *result;
        struct status st = next_answer(db, &reading, &result);
        if (!result)
            return failed(reading.st) ? reading.st : st;
        if (!take_result(db, &reading, result))
            return finish(db, &reading);
    }
}

static struct status read_script(struct db *db)
{
    struct reading reading = {.wait = wait_of(db)};
    for (;;) {
        PGresult *result = NULL;
        if (!receive(db, &reading.wait, &result))
            return silent(db);
        if (!result)
            return PQstatus(db->connection) == CONNECTION_OK ? finish(db, &reading)
                                                             : lost_connection(db);
        if (!take_result(db, &reading, result))
            return finish(db, &reading);
    }
}

struct status db_run_script(struct db *db, const char *sql)
{
    struct status st = db->pending_count > 0 ? db_sync(db) : OK;
    if (failed(st))
        return st;
    if (!PQexitPipelineMode(db->connection) || !PQsendQuery(db->connection, sql))
        return lost_connection(db);
    st = read_script(db);
    if (db->connection && !PQenterPipelineMode(db->connection))
        return lost_connection(db);
    return st;
}
