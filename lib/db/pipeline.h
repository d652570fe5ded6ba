#pragma once
// The inside of struct db: one libpq connection, what was sent and not yet answered, and what the
// results of the running transaction borrow. Only lib/db/*.c include this.

#include "lib/base/metrics.h"
#include "lib/db/db.h"

#include <libpq-fe.h>

// How far a statement's PREPARE has come on the present connection.
enum prepare_state { PREPARE_NEEDED, PREPARE_SENT, PREPARE_DONE };

struct prepared {
    const struct statement *statement;
    enum prepare_state state;
};

// A command on its way: what its answer means for us.
struct pending {
    enum { PENDING_PREPARE, PENDING_RUN } kind;
    size_t prepared;   // index into db->prepared
    struct rows *rows; // where the result goes, or NULL
};

// How the transaction of the present moment stands.
enum transaction_state {
    TRANSACTION_NONE,
    TRANSACTION_OPEN,
    TRANSACTION_COMMITTING, // COMMIT was handed to the network: a lost connection means unknown
    TRANSACTION_COMMITTED,  // the server said COMMIT
};

struct db_metrics {
    struct metric *queries, *committed, *rolled_back, *unknown, *errors, *connects, *connections;
};

struct db {
    char *url;
    char *application_name;
    PGconn *connection; // NULL: not connected
    struct prepared *prepared;
    size_t prepared_count, prepared_capacity;
    struct pending *pending;
    size_t pending_count, pending_capacity;
    PGresult **results; // what struct rows borrow
    size_t result_count, result_capacity;
    char *scratch; // encoded parameters of the statement being sent
    size_t scratch_capacity;
    enum transaction_state transaction;
    struct status failure; // of the open transaction; sticky
    struct rows clock;     // what db_start_batch asked for
    bool reads_batch;      // a batch without a transaction has started and not ended
    int64_t deadline_us;
    const char *trace; // of the batches to come; NULL or "": none
    struct db_metrics metrics;
    char message[512]; // of the last failure
};

enum { MAX_PARAMS = 64 };

// PostgreSQL's numbers of the types that parameters and columns have (pg_type.dat).
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_TIMESTAMPTZ = 1184,
};

// The parameters of one statement as libpq takes them; the values live in db->scratch.
struct encoded {
    Oid types[MAX_PARAMS];
    const char *values[MAX_PARAMS];
    int lengths[MAX_PARAMS];
    int formats[MAX_PARAMS];
};

// Encodes into db->scratch (params.c).
void db_encode(struct db *db, struct params params, struct encoded *encoded);

// Opens a connection in pipeline mode; closes it and forgets all that belonged to it (connection.c).
struct status db_open(struct db *db);
void db_close(struct db *db);

// True when the idle connection still has a server behind it, as far as the socket knows.
bool db_is_alive(struct db *db);

// Appends the statement, and its PREPARE when needed, to the pipeline without waiting (pipeline.c).
struct status db_send(struct db *db, const struct statement *statement, struct params params,
                      struct rows *rows);

// The same of a statement whose rows nobody needs, with a comment behind its text: not prepared,
// because the text is one of a kind. Together they have at most 250 characters.
struct status db_send_commented(struct db *db, const struct statement *statement,
                                struct params params, const char *comment);

// Ends the pipeline with a sync point and reads every answer up to it. The first error is the
// result. Closes the connection when it is lost or silent beyond the deadline.
struct status db_sync(struct db *db);

// Runs a script of several statements over the simple protocol, inside a transaction or not.
struct status db_run_script(struct db *db, const char *sql);

// Frees what earlier rows borrowed.
void db_clear_results(struct db *db);

// Ahead of the first statement of a round trip: the settings of a batch of reads, if there is one
// (batch.c).
struct status db_go_on_with_batch(struct db *db);

// Grows an array to hold one element more.
void *db_grow(void *items, size_t count, size_t *capacity, size_t size);
