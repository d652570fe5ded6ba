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
// A traced batch says its name once more behind that, as a setting of the transaction and as a comment
// (sqlcommenter's), for those who read the one or the other. A comment on each statement would make
// every text a new one, to be parsed and planned anew; here it costs one text that hardly needs a plan.

#include "lib/db/pipeline.h"

#include <stdio.h>

#define SETTINGS                                                                                   \
    "set_config('plan_cache_mode', 'force_generic_plan', true),"                                   \
    " set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"      \
    " set_config('enable_mergejoin', 'off', true)"

static const struct statement START = {"db_start_batch", "SELECT baro_now(), " SETTINGS};
static const struct statement GO_ON = {"db_go_on_with_batch", "SELECT " SETTINGS};
static const struct statement NAME = {"db_name_batch",
                                      "SELECT set_config('application_name', $1::text, true)"};

static struct status name_batch(struct db *db)
{
    char comment[96];
    if (!db->trace || !*db->trace)
        return OK;
    snprintf(comment, sizeof(comment), "traceparent='%s'", db->trace);
    return db_send_commented(db, &NAME, PARAMS(p_text(db->trace)), comment);
}

struct status db_start_batch(struct db *db)
{
    struct status st = db_queue_query(db, &START, NO_PARAMS, &db->clock);
    if (!failed(st))
        st = name_batch(db);
    db->reads_batch = !failed(st) && db->transaction == TRANSACTION_NONE;
    return st;
}

void db_set_trace(struct db *db, const char *traceparent)
{
    db->trace = traceparent;
}

struct status db_go_on_with_batch(struct db *db)
{
    if (!db->reads_batch)
        return OK;
    struct status st = db_send(db, &GO_ON, NO_PARAMS, NULL);
    return failed(st) ? st : name_batch(db);
}

struct status db_now(struct db *db, int64_t *now_us)
{
    struct status st = db->clock.result ? OK : db_flush(db);
    if (!failed(st))
        *now_us = rows_int64(&db->clock, 0, 0);
    return st;
}
