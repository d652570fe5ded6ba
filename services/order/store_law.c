// The row of the last check of the laws.

#include "services/order/store.h"

// A check may take a tenth of the time, not more.
static const struct statement CLAIM = {
    "law_claim",
    "UPDATE law_pass SET lease_until = baro_now() + interval '2 minutes'"
    " WHERE lease_until <= baro_now() AND baro_now() >= checked_at + took"
    "   + greatest(took * 10, $1::bigint * interval '1 millisecond')",
};

static const struct statement SAVE = {
    "law_save",
    "UPDATE law_pass SET lease_until = '-infinity', checked_at = baro_time($1::bigint),"
    "  took = $2::bigint * interval '1 millisecond', report = $3::bytea"
    " WHERE checked_at <= baro_time($1::bigint)",
};

static const struct statement LOAD = {"law_load", "SELECT report, baro_now() FROM law_pass"};

struct status store_claim_law_pass(struct db *db, int64_t period_ms, bool *ours)
{
    int64_t claimed = 0;
    struct status st = db_execute(db, &CLAIM, PARAMS(p_int64(period_ms)), &claimed);
    *ours = !failed(st) && claimed == 1;
    return st;
}

struct status store_save_law_pass(struct db *db, int64_t checked_at_us, int64_t took_ms,
                                  struct bytes report)
{
    return db_execute(
        db, &SAVE,
        PARAMS(p_int64(checked_at_us), p_int64(took_ms), p_bytes(report.data, report.size)), NULL);
}

struct status store_load_law_pass(struct db *db, struct arena *arena, struct bytes *report,
                                  int64_t *now_us)
{
    struct rows rows;
    struct status st = db_query(db, &LOAD, NO_PARAMS, &rows);
    if (failed(st))
        return st;
    *report = rows_bytes(&rows, 0, 0);
    if (report->data)
        report->data = arena_copy(arena, report->data, report->size);
    *now_us = rows_int64(&rows, 0, 1);
    return OK;
}
