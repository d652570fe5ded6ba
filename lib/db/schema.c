// The clock and the time of a database, and what its migrations build with.
//
// baro_time() is exact: a double holds whole microseconds for 285 years around 1970, and
// to_timestamp rounds to the nearest. Both its parts are IMMUTABLE, so the planner inlines it.
// baro_now() is STABLE so that `expires_at <= baro_now()` can use an index, and is made of what is
// STABLE too, or the planner could not inline it: called as a function, its text would be parsed and
// planned for every row. The time of a statement is when it arrived. A transaction-scoped lock keeps
// two replicas from creating the same function at the same moment.
//
// What grows with every order is read by key, and batches keep their plans (batch.c): statistics change
// nothing there, while a young table is sampled again whenever it has grown by a tenth. That took a
// sixth of PostgreSQL's time, so such tables are sampled when 100,000 rows are new.
//
// The bounds of a partition are ids: lib/base/timeid.c puts the seconds since 2025 above 20 bits.

#include "lib/db/schema.h"

#include "lib/db/rights.h"

static const char PREPARE[] =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(hashtext('baro schema'));"
    "DO $do$ BEGIN"
    "  IF to_regprocedure('baro_now()') IS NULL THEN"
    "    CREATE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE"
    "      AS 'SELECT statement_timestamp()';"
    "  END IF;"
    "  IF to_regprocedure('baro_time(bigint)') IS NULL THEN"
    "    CREATE FUNCTION baro_time(us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT"
    "      PARALLEL SAFE AS 'SELECT to_timestamp(us / 1000000.0::double precision)';"
    "  END IF;"
    "  IF to_regprocedure('baro_make_partition(text, timestamp, integer)') IS NULL THEN"
    "    CREATE FUNCTION baro_make_partition(parent text, month timestamp, fill integer)"
    "      RETURNS void LANGUAGE plpgsql AS $body$"
    "    DECLARE"
    "      epoch CONSTANT timestamp := '2025-01-01';"
    "      partition text := parent || to_char(month, '_YYYY_MM');"
    "    BEGIN"
    "      PERFORM pg_advisory_xact_lock(hashtext('baro partitions'));"
    "      IF to_regclass(partition) IS NULL THEN"
    "        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)"
    "                        WITH (fillfactor = %s, autovacuum_analyze_threshold = 100000)',"
    "          partition, parent,"
    "          extract(epoch FROM month - epoch)::bigint << 20,"
    "          extract(epoch FROM month + interval '1 month' - epoch)::bigint << 20, fill);"
    "      END IF;"
    "    END $body$;"
    "  END IF;"
    "  IF to_regprocedure('baro_make_partitions(text, integer, integer)') IS NULL THEN"
    "    CREATE FUNCTION baro_make_partitions(parent text, ahead integer, fill integer DEFAULT 100)"
    "      RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"
    "      AS $body$"
    "    DECLARE"
    "      month timestamp := date_trunc('month', baro_now() AT TIME ZONE 'UTC');"
    "    BEGIN"
    "      IF ahead NOT BETWEEN 0 AND 24 THEN RAISE EXCEPTION 'not % months ahead', ahead; END IF;"
    "      FOR i IN 0..ahead LOOP"
    "        PERFORM baro_make_partition(parent, month + i * interval '1 month', fill);"
    "      END LOOP;"
    "    END $body$;"
    "  END IF;"
    "END $do$;"
    "COMMIT";

struct status schema_prepare(struct db *db)
{
    struct status st = db_script(db, PREPARE);
    return failed(st) ? st : rights_prepare(db);
}
