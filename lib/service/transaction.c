// The batch's clock is read in the round trip of its first statement, so it costs none of its own
// when a guard asks the database anyway.

#include "lib/service/transaction.h"

#include "lib/db/db.h"

#include <stdlib.h>

static void *open_connection(void *context, const char *worker)
{
    return db_create(context, worker);
}

static void close_connection(void *tx)
{
    db_destroy(tx);
}

static struct status begin(void *tx, enum method_kind kind)
{
    struct status st = kind == METHOD_WRITE ? db_begin(tx) : db_connect(tx);
    return failed(st) ? st : db_start_batch(tx);
}

static struct status now(void *tx, int64_t *now_us)
{
    return db_now(tx, now_us);
}

static struct status commit(void *tx)
{
    return db_commit(tx);
}

static void rollback(void *tx)
{
    db_rollback(tx);
}

static void set_deadline(void *tx, int64_t deadline_us)
{
    db_set_deadline(tx, deadline_us);
}

static void set_trace(void *tx, const char *traceparent)
{
    db_set_trace(tx, traceparent);
}

const struct transaction_ops postgres_transaction = {
    .open = open_connection,
    .close = close_connection,
    .begin = begin,
    .now = now,
    .commit = commit,
    .rollback = rollback,
    .set_deadline = set_deadline,
    .set_trace = set_trace,
};
