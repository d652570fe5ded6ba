// What PostgreSQL's errors mean to a caller.

#include "lib/base/macros.h"
#include "lib/db/db.h"

#include <criterion/criterion.h>

static const struct row {
    const char *sqlstate;
    enum status_code code;
    enum reason reason;
} ROWS[] = {
    {"40001", STATUS_ABORTED,           REASON_CONFLICT         },
    {"40P01", STATUS_ABORTED,           REASON_CONFLICT         },
    {"40002", STATUS_ABORTED,           REASON_CONFLICT         },
    {"40003", STATUS_UNKNOWN,           REASON_OUTCOME_UNKNOWN  },
    {"23505", STATUS_ABORTED,           REASON_CONFLICT         },
    {"55P03", STATUS_ABORTED,           REASON_CONFLICT         },
    {"57014", STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED},
    {"57P01", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      },
    {"57P03", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      },
    {"53100", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      },
    {"53300", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      },
    {"08006", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      },
    {"08007", STATUS_UNKNOWN,           REASON_OUTCOME_UNKNOWN  },
    {"08P01", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      }, // what PgBouncer says of itself
    {"25006", STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      },
    {"22021", STATUS_INVALID_ARGUMENT,  REASON_VALIDATION_ERROR },
    {"23514", STATUS_INTERNAL,          REASON_INTERNAL         },
    {"23503", STATUS_INTERNAL,          REASON_INTERNAL         },
    {"42601", STATUS_INTERNAL,          REASON_INTERNAL         },
    {"P0001", STATUS_INTERNAL,          REASON_INTERNAL         },
    {"XX001", STATUS_DATA_LOSS,         REASON_INTERNAL         },
    {NULL,    STATUS_UNAVAILABLE,       REASON_UNAVAILABLE      },
};

Test(sqlstate, every_error_tells_the_caller_how_to_react)
{
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct status st = db_status_of_sqlstate(ROWS[i].sqlstate, "words");
        cr_expect_eq(st.code, ROWS[i].code, "%s", ROWS[i].sqlstate);
        cr_expect_eq(st.reason, ROWS[i].reason, "%s", ROWS[i].sqlstate);
        cr_expect_str_eq(st.message, "words");
    }
}
