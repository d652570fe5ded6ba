// A model of lib/db over the store of this folder, behind lib/db/db.h: what a caller sees of
// transactions, failures that stick, deadlines, lost connections and COMMITs of unknown outcome.
// Statements are looked up by their names (sql_*.c).
//
// A statement is run when it is queued or asked for; every call that waits is a round trip, at which
// time passes, others run, the connection may break and the process may die. A process that dies in
// COMMIT leaves it to chance whether it happened; the server finds out about lost clients a little
// later, and holds their locks until then.

#include "tests/simulate/database.h"

#include "lib/base/clock.h"
#include "tests/simulate/faults.h"
#include "tests/simulate/pins.h"
#include "tests/simulate/sql.h"
#include "tests/simulate/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIP_MIN_US = 40, TRIP_MAX_US = 400, CONNECT_US = 1000, NOTICE_US = 50000 };

struct database_faults database_faults;
struct database_counts database_counts;
bool pins_are_listed;

// The server's side of a connection.
struct session {
    struct database *database;
    struct transaction tx;
    bool in_transaction, committing, broken;
    struct session *next; // of the process
};

struct db {
    struct database *database;
    struct session *session;
    bool explicit; // between db_begin and its end
    struct status failure;
    int64_t deadline_us; // of the process's clock
    struct arena *arena; // results of the transaction
    int64_t clock_us;
    bool clock_waits; // nobody has waited since db_start_batch
};

void databases_begin(void)
{
    for (size_t i = 0; i < KINDS; i++)
        databases[i] = (struct database){.name = KIND_NAMES[i], .tables = tables_create()};
    database_counts = (struct database_counts){0};
}

// Statements by name

static const struct sql *find_by_name(const char *name)
{
    static const struct sql_list *const LISTS[] = {&sql_lib, &sql_user, &sql_product, &sql_coupon,
                                                   &sql_order};
    for (size_t i = 0; i < COUNT(LISTS); i++)
        for (size_t j = 0; j < LISTS[i]->count; j++)
            if (strcmp(LISTS[i]->rows[j].name, name) == 0)
                return &LISTS[i]->rows[j];
    fprintf(stderr, "tests/simulate has no model of the statement %s: add one to sql_*.c\n", name);
    exit(EXIT_NO_MODEL);
}

static void check_pin(const struct statement *statement, const struct sql *sql)
{
    uint32_t pin = pin_of(statement->sql);
    if (sql->pin == pin)
        return;
    fprintf(stderr,
            "the statement %s has changed: see that its model in tests/simulate/sql_*.c still says "
            "the same, then pin it to 0x%08x there\n",
            statement->name, pin);
    if (!pins_are_listed)
        exit(EXIT_NO_MODEL);
}

static const struct sql *find(const struct statement *statement)
{
    enum { SLOTS = 512 };
    static struct {
        const struct statement *statement;
        const struct sql *sql;
    } known[SLOTS];
    size_t slot = (uintptr_t)statement / sizeof(*statement) % SLOTS;
    while (known[slot].statement && known[slot].statement != statement)
        slot = (slot + 1) % SLOTS;
    if (!known[slot].statement) {
        known[slot].statement = statement;
        known[slot].sql = find_by_name(statement->name);
        check_pin(statement, known[slot].sql);
    }
    return known[slot].sql;
}

// Sessions

static void end_transaction(struct session *session, bool commit)
{
    if (!session->in_transaction)
        return;
    session->in_transaction = session->committing = false;
    if (commit) {
        if (session->tx.xid)
            sequences_make_durable(session->database->tables);
        transaction_commit(&session->tx);
        database_counts.transactions++;
    } else {
        transaction_rollback(&session->tx);
    }
}

static void break_session(struct session *session)
{
    session->broken = true;
    end_transaction(session, session->committing && chance_once_in(2));
}

static void server_notices(void *arg, uint64_t token)
{
    (void)token;
    break_session(arg);
}

void database_forget(struct process *process)
{
    for (struct session *session = process->sessions; session; session = session->next)
        if (session->in_transaction)
            world_at(world_now_us() + chance_between(0, NOTICE_US), server_notices, session, 0);
    process->sessions = NULL;
}

static struct session *session_of(struct transaction *tx)
{
    return (struct session *)(void *)((char *)tx - offsetof(struct session, tx));
}

void database_crash(struct database *database, int64_t for_us)
{
    trace("database %s crashes", database->name);
    database_counts.crashes++;
    database->down_until_us = world_now_us() + for_us;
    while (database->active) {
        struct session *session = session_of(database->active);
        session->tx.lost = true;
        break_session(session);
    }
    sequences_crash(database->tables);
}

static struct status unavailable(void)
{
    return (struct status){STATUS_UNAVAILABLE, REASON_UNAVAILABLE, NULL,
                           "the connection to the database was lost"};
}

static struct status unknown_outcome(void)
{
    return (struct status){STATUS_UNKNOWN, REASON_OUTCOME_UNKNOWN, NULL,
                           "the connection to the database was lost in COMMIT"};
}

static int64_t trip_us(void)
{
    int64_t us = chance_between(TRIP_MIN_US, TRIP_MAX_US);
    return chance_once_in(database_faults.slow) ? us + chance_between(0, database_faults.slow_us)
                                                : us;
}

// One way to the server and back: false when the connection is lost on it.
static bool round_trip(struct db *db)
{
    fiber_await();
    fiber_park(world_now_us() + trip_us());
    if (db->database->down_until_us > world_now_us())
        break_session(db->session);
    if (!db->session->broken && faults_strike(PLACE_TRIP, database_faults.lose_connection)) {
        database_counts.connections_lost++;
        break_session(db->session);
    }
    db->clock_waits = false;
    return !db->session->broken;
}

static struct status check_deadline(const struct db *db)
{
    if (!db->deadline_us || clock_monotonic_us() < db->deadline_us)
        return OK;
    return (struct status){STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED, NULL,
                           "the deadline passed before the database was asked"};
}

static struct status keep_failure(struct db *db, struct status st)
{
    if (failed(st) && db->explicit)
        db->failure = st;
    return st;
}

static void begin_on_server(struct db *db)
{
    struct session *session = db->session;
    transaction_begin(&session->tx, db->database);
    session->in_transaction = true;
    if (db->deadline_us)
        session->tx.deadline_us = process_when_us(process_now, db->deadline_us);
}

// Before a statement: connected, in a transaction of its own if in no other.
static struct status ready(struct db *db)
{
    if (failed(db->failure))
        return db->failure;
    struct status st = check_deadline(db);
    if (failed(st))
        return keep_failure(db, st);
    if (db->explicit) {
        return db->session->broken ? keep_failure(db, unavailable()) : OK;
    }
    if (db->session && db->session->in_transaction)
        return OK;
    arena_reset(db->arena);
    st = db_connect(db);
    if (!failed(st))
        begin_on_server(db);
    return st;
}

// A failure that is nobody's fault: a lost race, a deadlock, a full disk, an I/O error, a bug.
static sqlstate fail_by_chance(void)
{
    static const sqlstate STATES[] = {"40001", "40P01", "53100", "58030", "XX000"};
    if (!faults_strike(PLACE_STATEMENT, database_faults.fail))
        return NULL;
    database_counts.failed++;
    return STATES[chance_below(COUNT(STATES))];
}

static struct status run(struct db *db, const struct statement *statement, struct params params,
                         struct rows *rows)
{
    struct result *result = arena_alloc(db->arena, sizeof(*result));
    struct query query = {
        .tx = &db->session->tx,
        .tables = db->database->tables,
        .database = db->database,
        .params = params.values,
        .arena = db->arena,
        .result = result,
        .affected = 0,
    };
    sqlstate state = fail_by_chance();
    if (!state)
        state = find(statement)->run(&query);
    if (rows)
        *rows = (struct rows){result, result->count, query.affected};
    if (!state)
        return OK;
    trace("statement %s fails: %s", statement->name, state);
    database_counts.conflicts++;
    if (!db->session->broken)
        end_transaction(db->session, false);
    return db_status_of_sqlstate(state, statement->name);
}

// lib/db/db.h

// The database's name is the last part of the URL.
static struct database *database_of(const char *url)
{
    const char *slash = strrchr(url, '/'), *name = slash ? slash + 1 : url;
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(databases[i].name, name) == 0)
            return &databases[i];
    abort();
}

struct db *db_create(const char *url, const char *application_name)
{
    (void)application_name;
    struct db *db = calloc(1, sizeof(*db));
    assert(db);
    db->database = database_of(url);
    db->arena = arena_create();
    return db;
}

void db_destroy(struct db *db)
{
    if (!db)
        return;
    if (db->session)
        end_transaction(db->session, false);
    arena_destroy(db->arena);
    free(db);
}

void db_set_deadline(struct db *db, int64_t deadline_us)
{
    db->deadline_us = deadline_us;
}

struct status db_connect(struct db *db)
{
    if (db->session && !db->session->broken)
        return OK;
    fiber_sleep(CONNECT_US);
    if (db->database->down_until_us > world_now_us())
        return unavailable();
    db->session = world_alloc(sizeof(*db->session));
    db->session->database = db->database;
    db->session->next = process_now->sessions;
    process_now->sessions = db->session;
    return OK;
}

struct status db_wait(struct db *db, int64_t timeout_ms)
{
    int64_t limit_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    struct status st;
    while (failed(st = db_connect(db)) && clock_monotonic_us() < limit_us)
        fiber_sleep(50 * US_PER_MS);
    return st;
}

struct status db_begin(struct db *db)
{
    assert(!db->explicit);
    struct status st = check_deadline(db);
    if (!failed(st))
        st = db_connect(db);
    if (failed(st))
        return st;
    end_transaction(db->session, true);
    arena_reset(db->arena);
    begin_on_server(db);
    db->explicit = true;
    return OK;
}

struct status db_queue_query(struct db *db, const struct statement *statement, struct params params,
                             struct rows *rows)
{
    *rows = (struct rows){NULL, 0, 0};
    struct status st = ready(db);
    return failed(st) ? st : keep_failure(db, run(db, statement, params, rows));
}

struct status db_queue(struct db *db, const struct statement *statement, struct params params)
{
    struct rows rows;
    return db_queue_query(db, statement, params, &rows);
}

// Outside a transaction what was sent is committed with its answer.
static struct status commit_itself(struct db *db, bool writes)
{
    if (db->explicit)
        return OK;
    end_transaction(db->session, true);
    if (!writes)
        return OK;
    fiber_await();
    if (!faults_strike(PLACE_COMMIT, database_faults.lose_answer))
        return OK;
    database_counts.answers_lost++;
    db->session->broken = true;
    return unknown_outcome();
}

struct status db_query(struct db *db, const struct statement *statement, struct params params,
                       struct rows *rows)
{
    bool writes = strncmp(statement->sql, "SELECT", 6) != 0;
    struct rows found = {NULL, 0, 0};
    struct status st = ready(db);
    if (failed(st))
        return st;
    if (!round_trip(db))
        return keep_failure(db, writes && !db->explicit ? unknown_outcome() : unavailable());
    st = run(db, statement, params, &found);
    if (!failed(st))
        st = commit_itself(db, writes);
    if (failed(st))
        return keep_failure(db, st);
    *rows = found;
    return OK;
}

struct status db_flush(struct db *db)
{
    if (failed(db->failure) || !db->session || !db->session->in_transaction)
        return db->failure;
    if (!round_trip(db))
        return keep_failure(db, unavailable());
    return commit_itself(db, false);
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
    (void)db;
    (void)sql;
    return OK;
}

static struct status commit(struct db *db)
{
    struct session *session = db->session;
    if (session->broken)
        return unavailable();
    session->committing = true;
    if (!round_trip(db))
        return unknown_outcome();
    end_transaction(session, true);
    fiber_await();
    if (!faults_strike(PLACE_COMMIT, database_faults.lose_answer))
        return OK;
    database_counts.answers_lost++;
    session->broken = true;
    return unknown_outcome();
}

struct status db_commit(struct db *db)
{
    if (!db->explicit)
        return db_flush(db);
    struct status st = failed(db->failure) ? db->failure : check_deadline(db);
    if (!failed(st))
        st = commit(db);
    if (failed(st)) {
        db_rollback(db);
        return st;
    }
    db->explicit = false;
    return OK;
}

void db_rollback(struct db *db)
{
    if (db->session)
        end_transaction(db->session, false);
    db->explicit = false;
    db->failure = OK;
}

void db_set_trace(struct db *db, const char *traceparent)
{
    (void)db, (void)traceparent; // nobody traces a simulation
}

struct status db_start_batch(struct db *db)
{
    struct status st = ready(db);
    db->clock_us = database_now_us(db->database);
    db->clock_waits = true;
    return st;
}

struct status db_now(struct db *db, int64_t *now_us)
{
    struct status st = db->clock_waits ? db_flush(db) : OK;
    if (!failed(st))
        *now_us = db->clock_us;
    return st;
}

// Rows

static const struct cell *cell_of(const struct rows *rows, size_t row, int column)
{
    const struct result *result = rows->result;
    assert(row < result->count && (size_t)column < result->columns);
    return &result->cells[row * result->columns + (size_t)column];
}

bool rows_is_null(const struct rows *rows, size_t row, int column)
{
    return cell_of(rows, row, column)->is_null;
}

int64_t rows_int64(const struct rows *rows, size_t row, int column)
{
    return cell_of(rows, row, column)->number;
}

bool rows_bool(const struct rows *rows, size_t row, int column)
{
    return cell_of(rows, row, column)->number != 0;
}

const char *rows_text(const struct rows *rows, size_t row, int column)
{
    return cell_of(rows, row, column)->data;
}

struct bytes rows_bytes(const struct rows *rows, size_t row, int column)
{
    const struct cell *cell = cell_of(rows, row, column);
    return (struct bytes){cell->data, cell->size};
}

int64_t *rows_int64s(const struct rows *rows, int column, struct arena *arena)
{
    int64_t *values = arena_array(arena, rows->count, sizeof(*values));
    for (size_t row = 0; row < rows->count; row++)
        values[row] = rows_int64(rows, row, column);
    return values;
}
