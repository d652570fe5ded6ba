#include "tests/e2e/letter.h"

#include "tests/support/database.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int64_t given_dead_letter(const char *sink)
{
    static int64_t count;
    char sql[768];
    const char *url = getenv("BARO_ORDER_DATABASE_URL");
    SCOPED(db) *db = db_create(url, "e2e");
    snprintf(sql, sizeof sql,
             "INSERT INTO sink_event (event_id, key, occurred_at, since, tried_at, due_at, died_at,"
             "                        tries, state, sink, kind, error, payload)"
             " VALUES (-(%d * 10000000::bigint + %" PRId64 "), 7, now(), now(), now(), now(),"
             "         now(), 9, 2, '%s', 'order.paid', 'HTTP 410', '')",
             (int)getpid(), ++count, sink);
    test_script(db, sql);
    return test_number(url, "SELECT max(id) FROM sink_event");
}
