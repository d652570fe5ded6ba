// The clock and the time of a database.
//
// baro_time() is exact: a double holds whole microseconds for 285 years around 1970, and
// to_timestamp rounds to the nearest. Both its parts are IMMUTABLE, so the planner inlines it.
// baro_now() is STABLE so that `expires_at <= baro_now()` can use an index. A transaction-scoped
// lock keeps two replicas from creating the same function at the same moment.

#include "lib/db/schema.h"

static const char PREPARE[] =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(hashtext('baro schema'));"
    "DO $do$ BEGIN"
    "  IF to_regprocedure('baro_now()') IS NULL THEN"
    "    CREATE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE"
    "      AS 'SELECT clock_timestamp()';"
    "  END IF;"
    "  IF to_regprocedure('baro_time(bigint)') IS NULL THEN"
    "    CREATE FUNCTION baro_time(us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT"
    "      PARALLEL SAFE AS 'SELECT to_timestamp(us / 1000000.0::double precision)';"
    "  END IF;"
    "END $do$;"
    "COMMIT";

struct status schema_prepare(struct db *db)
{
    return db_script(db, PREPARE);
}
