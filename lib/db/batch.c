// How a batch's transaction starts: one statement that reads the clock and tells the planner what
// kind of statements will follow.
//
// All statements of a batch find few rows by key, through arrays. Left alone, the planner errs twice:
// it plans `= ANY($1)` anew at every execution, because a plan for the given array always looks
// cheaper, and a plan that it keeps may date from when the table was nearly empty, where it chose to
// read all of it. So: plans are kept, and go by index. The settings are the transaction's own, which
// PgBouncer allows; audits, lists and jobs plan as ever.

#include "lib/db/pipeline.h"

static const struct statement START = {
    "db_start_batch",
    "SELECT baro_now(), set_config('plan_cache_mode', 'force_generic_plan', true),"
    " set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true)",
};

struct status db_start_batch(struct db *db)
{
    return db_queue_query(db, &START, NO_PARAMS, &db->clock);
}

struct status db_now(struct db *db, int64_t *now_us)
{
    struct status st = db->clock.result ? OK : db_flush(db);
    if (!failed(st))
        *now_us = rows_int64(&db->clock, 0, 0);
    return st;
}
