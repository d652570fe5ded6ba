// The clock of facts, for those who run no batch.

#include "lib/db/db.h"

static const struct statement CLOCK = {"db_clock", "SELECT baro_now()"};

struct status db_read_clock(struct db *db, int64_t *now_us)
{
    struct rows rows;
    struct status st = db_query(db, &CLOCK, NO_PARAMS, &rows);
    if (!failed(st))
        *now_us = rows_int64(&rows, 0, 0);
    return st;
}
