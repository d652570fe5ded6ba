// SQLSTATE -> status: the one place that knows what PostgreSQL's errors mean to a caller.
//
// A lost race is ABORTED (run again); what the operator must mend or time will is UNAVAILABLE; what
// only a bug can cause, such as a violated CHECK behind a checked rule, is INTERNAL.

#include "lib/db/db.h"

#include <string.h>

// The first row whose prefix fits decides: narrow rows stand before wide ones.
static const struct sqlstate_row {
    const char *prefix;
    enum status_code code;
    enum reason reason;
} ROWS[] = {
    {"40001", STATUS_ABORTED,           REASON_CONFLICT         }, // serialization failure
    {"40P01", STATUS_ABORTED,           REASON_CONFLICT         }, // deadlock
    {"40003", STATUS_UNKNOWN,           REASON_OUTCOME_UNKNOWN  },
    {"40",    STATUS_ABORTED,           REASON_CONFLICT         },
    {"23505", STATUS_ABORTED,           REASON_CONFLICT         }, // unique violation
    {"55P03", STATUS_ABORTED,           REASON_CONFLICT         }, // lock not available
    {"0A000", STATUS_ABORTED,           REASON_CONFLICT         }, // a plan outlived its table
    {"57014", STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED}, // cancelled
    {"25P04", STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED}, // transaction timeout
    {"25P03", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // idle in transaction
    {"25006", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // read-only: a standby
    {"26000", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // prepared statement gone
    {"08007", STATUS_UNKNOWN,           REASON_OUTCOME_UNKNOWN  },
    {"08",    STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // connection; 08P01 is PgBouncer's own
    {"53",    STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // disk, memory, connections
    {"57P",   STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // shutdown, crash
    {"58",    STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // I/O error
    {"22021", STATUS_INVALID_ARGUMENT,  REASON_VALIDATION_ERROR }, // not UTF-8
    {"XX001", STATUS_DATA_LOSS,         REASON_INTERNAL         },
    {"XX002", STATUS_DATA_LOSS,         REASON_INTERNAL         },
    {"",      STATUS_INTERNAL,          REASON_INTERNAL         },
};

struct status db_status_of_sqlstate(const char *sqlstate, const char *message)
{
    // An error without a SQLSTATE is libpq's own: the connection failed.
    if (!sqlstate)
        return (struct status){STATUS_UNAVAILABLE, REASON_UNAVAILABLE, NULL, message};
    const struct sqlstate_row *row = ROWS;
    while (strncmp(row->prefix, sqlstate, strlen(row->prefix)) != 0)
        row++;
    return (struct status){row->code, row->reason, NULL, message};
}
