// Forward-only migrations.
//
// One transaction a file, under a lock that ends with the transaction, so replicas that start
// together apply each file once and a pooler may stand between. The database computes and compares
// the checksums.

#include "lib/db/migrate.h"

#include "lib/base/log.h"
#include "lib/db/pipeline.h"

#include <stdio.h>

static const char TABLE[] = "BEGIN;"
                            "SELECT pg_advisory_xact_lock(hashtext('baro migration'));"
                            "CREATE TABLE IF NOT EXISTS migration ("
                            "  name text PRIMARY KEY,"
                            "  checksum bytea NOT NULL,"
                            "  applied_at timestamptz NOT NULL DEFAULT clock_timestamp());"
                            "COMMIT";

static const struct statement LOCK = {
    "migrate_lock", "SELECT pg_advisory_xact_lock(hashtext('baro migration')) IS NULL"};

static const struct statement RECORDED = {"migrate_recorded",
                                          "SELECT checksum = sha256(convert_to($2::text, 'UTF8'))"
                                          " FROM migration WHERE name = $1::text"};

static const struct statement RECORD = {"migrate_record",
                                        "INSERT INTO migration (name, checksum)"
                                        " VALUES ($1::text, sha256(convert_to($2::text, 'UTF8')))"};

static struct status name_failure(struct db *db, const struct migration *migration,
                                  struct status st, const char *words)
{
    char message[sizeof(db->message)];
    snprintf(message, sizeof(message), "migration %s %s", migration->name, words);
    snprintf(db->message, sizeof(db->message), "%s", message);
    st.message = db->message;
    return st;
}

static struct status apply(struct db *db, const struct migration *migration)
{
    struct status st = db_run_script(db, migration->sql);
    if (failed(st))
        return name_failure(db, migration, st, st.message);
    if (PQtransactionStatus(db->connection) != PQTRANS_INTRANS)
        return name_failure(db, migration, refuse(REASON_INTERNAL, NULL), "ends its transaction");
    return db_queue(db, &RECORD, PARAMS(p_text(migration->name), p_text(migration->sql)));
}

static struct status apply_if_missing(struct db *db, const struct migration *migration,
                                      bool *applied)
{
    struct rows rows;
    struct status st = db_queue(db, &LOCK, NO_PARAMS);
    if (failed(st))
        return st;
    st = db_query(db, &RECORDED, PARAMS(p_text(migration->name), p_text(migration->sql)), &rows);
    if (failed(st))
        return st;
    *applied = rows.count == 0;
    if (*applied)
        return apply(db, migration);
    if (rows_bool(&rows, 0, 0))
        return OK;
    return name_failure(db, migration, (struct status){.code = STATUS_FAILED_PRECONDITION},
                        "was changed after it had been applied");
}

static struct status run(struct db *db, const struct migration *migration)
{
    struct status st = db_begin(db);
    if (failed(st))
        return st;
    bool applied = false;
    st = apply_if_missing(db, migration, &applied);
    if (failed(st)) {
        db_rollback(db);
        return st;
    }
    st = db_commit(db);
    if (!failed(st) && applied)
        log_info("migration applied", log_text("name", migration->name));
    return st;
}

struct status migrate(struct db *db, const struct migration *migrations, size_t count)
{
    struct status st = db_script(db, TABLE);
    for (size_t i = 0; i < count && !failed(st); i++)
        st = run(db, &migrations[i]);
    return st;
}

static struct status check(struct db *db, const struct migration *migration)
{
    struct rows rows;
    struct status st =
        db_query(db, &RECORDED, PARAMS(p_text(migration->name), p_text(migration->sql)), &rows);
    if (failed(st))
        return st;
    if (rows.count == 1)
        return OK;
    return name_failure(db, migration, (struct status){.code = STATUS_FAILED_PRECONDITION},
                        "is not applied yet");
}

struct status migrate_check(struct db *db, const struct migration *migrations, size_t count)
{
    struct status st = db_begin(db);
    for (size_t i = 0; i < count && !failed(st); i++)
        st = check(db, &migrations[i]);
    db_rollback(db);
    return st;
}
