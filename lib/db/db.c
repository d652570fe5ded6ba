// The handle: transactions over the pipeline.
//
// BEGIN travels with the first statement that waits and COMMIT with the last, so a transaction
// whose writes are queued costs one round trip a read and one for the end. COMMIT is handed to the
// network only after a look at the socket, so that a connection known to be dead is a definite
// failure; from then on only the server's word COMMIT, or a plain error, decides.

#include "lib/db/pipeline.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct statement BEGIN = {"db_begin", "BEGIN"};
// A client whose machine is gone without a word holds its locks no longer than this. A setting of the
// transaction, as a pooler allows no other.
static const struct statement LIMIT = {"db_limit_idleness",
                                       "SET LOCAL idle_in_transaction_session_timeout = '10s'"};

static const struct statement COMMIT = {"db_commit", "COMMIT"};
static const struct statement ROLLBACK = {"db_rollback", "ROLLBACK"};

enum { WAIT_FIRST_MS = 50, WAIT_MAX_MS = 2000 };

static struct db_metrics register_metrics(void)
{
    const char *transactions = "baro_db_transactions_total", *help = "Transactions by their end";
    return (struct db_metrics){
        .queries = metrics_counter("baro_db_queries_total", "Statements sent", NULL),
        .committed = metrics_counter(transactions, help, "outcome=\"committed\""),
        .rolled_back = metrics_counter(transactions, help, "outcome=\"rolled_back\""),
        .unknown = metrics_counter(transactions, help, "outcome=\"unknown\""),
        .errors = metrics_counter("baro_db_errors_total", "Errors that the server reported", NULL),
        .connects = metrics_counter("baro_db_connects_total", "Attempts to connect", NULL),
        .connections = metrics_gauge("baro_db_connections", "Open connections", NULL),
    };
}

struct db *db_create(const char *url, const char *application_name)
{
    struct db *db = memory_alloc(sizeof(*db));
    db->url = memory_text(url);
    db->application_name = memory_text(application_name);
    db->metrics = register_metrics();
    return db;
}

void db_destroy(struct db *db)
{
    if (!db)
        return;
    db_close(db);
    db_clear_results(db);
    free(db->results);
    free(db->prepared);
    free(db->pending);
    free(db->scratch);
    free(db->application_name);
    free(db->url);
    free(db);
}

void db_set_deadline(struct db *db, int64_t deadline_us)
{
    db->deadline_us = deadline_us;
}

struct status db_connect(struct db *db)
{
    assert(db->transaction == TRANSACTION_NONE);
    return db_is_alive(db) ? OK : db_open(db);
}

struct status db_wait(struct db *db, int64_t timeout_ms)
{
    int64_t limit_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    for (int tries = 0;; tries++) {
        int64_t pause_ms = backoff_ceiling(WAIT_FIRST_MS, WAIT_MAX_MS, tries);
        struct status st = db_connect(db);
        if (!failed(st) || clock_monotonic_us() + pause_ms * US_PER_MS >= limit_us)
            return st;
        log_info("waiting for the database", log_text("for", db->application_name), log_status(st));
        poll(NULL, 0, (int)pause_ms);
    }
}

static struct status check_deadline(const struct db *db)
{
    if (!db->deadline_us || clock_monotonic_us() < db->deadline_us)
        return OK;
    return (struct status){STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED, NULL,
                           "the deadline passed before the database was asked"};
}

// The failure of an open transaction sticks: what follows it would run in another world.
static struct status keep_failure(struct db *db, struct status st)
{
    if (failed(st) && db->transaction != TRANSACTION_NONE)
        db->failure = st;
    return st;
}

static struct status ready(struct db *db)
{
    if (failed(db->failure))
        return db->failure;
    struct status st = check_deadline(db);
    if (failed(st) || db->transaction != TRANSACTION_NONE || db->pending_count > 0)
        return keep_failure(db, st);
    db_clear_results(db);
    st = db_connect(db);
    return failed(st) ? st : db_go_on_with_batch(db);
}

struct status db_begin(struct db *db)
{
    assert(db->transaction == TRANSACTION_NONE);
    struct status st = ready(db);
    if (failed(st))
        return st;
    st = db_send(db, &BEGIN, NO_PARAMS, NULL);
    if (failed(st))
        return st;
    db->transaction = TRANSACTION_OPEN;
    return keep_failure(db, db_send(db, &LIMIT, NO_PARAMS, NULL));
}

struct status db_queue(struct db *db, const struct statement *statement, struct params params)
{
    struct status st = ready(db);
    return failed(st) ? st : keep_failure(db, db_send(db, statement, params, NULL));
}

struct status db_queue_query(struct db *db, const struct statement *statement, struct params params,
                             struct rows *rows)
{
    *rows = (struct rows){NULL, 0, 0};
    struct status st = ready(db);
    return failed(st) ? st : keep_failure(db, db_send(db, statement, params, rows));
}

struct status db_flush(struct db *db)
{
    if (db->pending_count == 0)
        return db->failure;
    struct status st = ready(db);
    return failed(st) ? st : keep_failure(db, db_sync(db));
}

// Outside a transaction a statement is its own COMMIT: when its answer is lost, whether it was done
// is unknown, unless it only reads.
static bool commits_itself(const struct db *db, const struct statement *statement)
{
    return db->transaction == TRANSACTION_NONE && strncmp(statement->sql, "SELECT", 6) != 0;
}

static struct status ask(struct db *db, const struct statement *statement, struct params params,
                         struct rows *rows)
{
    struct status st = db_send(db, statement, params, rows);
    if (failed(st))
        return st;
    st = db_sync(db);
    bool lost_answer = st.code == STATUS_UNAVAILABLE || st.code == STATUS_DEADLINE_EXCEEDED;
    if (lost_answer && !db->connection && commits_itself(db, statement))
        return (struct status){STATUS_UNKNOWN, REASON_OUTCOME_UNKNOWN, NULL, db->message};
    return st;
}

struct status db_query(struct db *db, const struct statement *statement, struct params params,
                       struct rows *rows)
{
    struct rows found = {NULL, 0, 0};
    struct status st = ready(db);
    if (!failed(st))
        st = keep_failure(db, ask(db, statement, params, &found));
    if (!failed(st))
        *rows = found;
    return st;
}

struct status db_execute(struct db *db, const struct statement *statement, struct params params,
                         int64_t *affected)
{
    struct rows rows = {NULL, 0, 0};
    struct status st = db_query(db, statement, params, &rows);
    if (!failed(st) && affected)
        *affected = rows.affected;
    return st;
}

struct status db_script(struct db *db, const char *sql)
{
    assert(db->transaction == TRANSACTION_NONE);
    struct status st = ready(db);
    return failed(st) ? st : db_run_script(db, sql);
}

static struct status send_commit(struct db *db)
{
    if (!db_is_alive(db)) {
        db_close(db);
        return (struct status){STATUS_UNAVAILABLE, REASON_UNAVAILABLE, NULL,
                               "the connection to the database was lost before COMMIT"};
    }
    struct status st = db_send(db, &COMMIT, NO_PARAMS, NULL);
    if (failed(st))
        return st;
    db->transaction = TRANSACTION_COMMITTING;
    st = db_sync(db);
    if (failed(st) || db->transaction == TRANSACTION_COMMITTED)
        return st;
    return (struct status){STATUS_ABORTED, REASON_CONFLICT, NULL,
                           "the database answered COMMIT with ROLLBACK"};
}

struct status db_commit(struct db *db)
{
    db->reads_batch = false;
    if (db->transaction == TRANSACTION_NONE)
        return db_flush(db);
    struct status st = ready(db);
    if (!failed(st))
        st = send_commit(db);
    if (failed(st)) {
        metric_add(db->metrics.unknown, st.code == STATUS_UNKNOWN);
        db_rollback(db);
        return st;
    }
    db->transaction = TRANSACTION_NONE;
    metric_add(db->metrics.committed, 1);
    return OK;
}

// Takes back the open transaction. What is queued must be answered first: an error among it would
// make the server skip the ROLLBACK too. A server that cannot even do this loses the connection,
// which rolls back as well.
void db_rollback(struct db *db)
{
    bool was_open = db->transaction != TRANSACTION_NONE;
    db->reads_batch = false;
    if (!was_open && db->pending_count == 0)
        return;
    int64_t deadline_us = db->deadline_us;
    db->deadline_us = clock_monotonic_us() + US_PER_S;
    db->transaction = TRANSACTION_OPEN;
    char message[sizeof(db->message)];
    memcpy(message, db->message, sizeof(message));
    // Whoever queued a query has left, and so may have the place for its rows.
    for (size_t i = 0; i < db->pending_count; i++)
        db->pending[i].rows = NULL;
    if (db->connection && db->pending_count > 0)
        (void)db_sync(db);
    if (db->connection && PQtransactionStatus(db->connection) != PQTRANS_IDLE) {
        if (failed(db_send(db, &ROLLBACK, NO_PARAMS, NULL)) || failed(db_sync(db)))
            db_close(db);
    }
    memcpy(db->message, message, sizeof(message));
    db->deadline_us = deadline_us;
    db->transaction = TRANSACTION_NONE;
    db->failure = OK;
    metric_add(db->metrics.rolled_back, was_open);
}
