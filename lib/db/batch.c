// How a batch's transaction starts: one statement that reads the clock and tells the planner what
// kind of statements will follow.
//
// All statements of a batch find few rows by key, through arrays. Left alone, the planner errs twice:
// it plans `= ANY($1)` anew at every execution, because a plan for the given array always looks
// cheaper, and a plan that it keeps may date from when the table was nearly empty, where it chose to
// read all of it. So: plans are kept, and go by index. The settings are the transaction's own, which
// PgBouncer allows; audits, lists and jobs plan as ever. A batch of reads has no transaction but the
// implicit ones, from one wait to the next: the settings go ahead of each.
//
// A traced batch says its name here too, as a setting of the transaction. A comment in front of each
// statement (sqlcommenter) would make every text a new one, to be parsed and planned anew.

#include "lib/db/pipeline.h"

#define SETTINGS                                                                                   \
    "set_config('plan_cache_mode', 'force_generic_plan', true),"                                   \
    " set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"      \
    " set_config('enable_mergejoin', 'off', true)"

static const struct statement START = {"db_start_batch", "SELECT baro_now(), " SETTINGS};
static const struct statement START_TRACED = {"db_start_traced_batch",
                                              "SELECT baro_now(), " SETTINGS
                                              ", set_config('application_name', $1::text, true)"};
static const struct statement GO_ON = {"db_go_on_with_batch", "SELECT " SETTINGS};

struct status db_start_batch(struct db *db)
{
    bool traced = db->trace && *db->trace;
    struct status st =
        traced ? db_queue_query(db, &START_TRACED, PARAMS(p_text(db->trace)), &db->clock)
               : db_queue_query(db, &START, NO_PARAMS, &db->clock);
    db->reads_batch = !failed(st) && db->transaction == TRANSACTION_NONE;
    return st;
}

void db_set_trace(struct db *db, const char *traceparent)
{
    db->trace = traceparent;
}

struct status db_go_on_with_batch(struct db *db)
{
    return db->reads_batch ? db_send(db, &GO_ON, NO_PARAMS, NULL) : OK;
}

struct status db_now(struct db *db, int64_t *now_us)
{
    struct status st = db->clock.result ? OK : db_flush(db);
    if (!failed(st))
        *now_us = rows_int64(&db->clock, 0, 0);
    return st;
}
