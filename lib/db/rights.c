// Rights follow from triggers: what they refuse to everybody, the service's role has no right to; of
// the bits of a trigger's type 8 is DELETE and 16 UPDATE. Only what differs is changed, under a lock,
// because two replicas that grant at once would meet in the catalogue. Partitions are reached through
// their parents and have no rights of their own.

#include "lib/db/rights.h"

#include "lib/base/text.h"

static const char PREPARE[] =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(hashtext('baro schema'));"
    "DO $do$ BEGIN"
    "  IF to_regprocedure('baro_refuse_change()') IS NULL THEN"
    "    CREATE FUNCTION baro_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$"
    "    BEGIN"
    "      RAISE EXCEPTION 'rows of % are kept: no %', TG_TABLE_NAME, TG_OP"
    "        USING ERRCODE = 'insufficient_privilege';"
    "    END $body$;"
    "  END IF;"
    "  IF to_regprocedure('baro_keep(regclass, text)') IS NULL THEN"
    "    CREATE FUNCTION baro_keep(relation regclass, events text) RETURNS void"
    "      LANGUAGE plpgsql AS $body$"
    "    BEGIN"
    "      EXECUTE format('CREATE TRIGGER kept BEFORE %s OR TRUNCATE ON %s FOR EACH STATEMENT"
    " EXECUTE FUNCTION baro_refuse_change()', events, relation);"
    "      EXECUTE format('CREATE TRIGGER kept_rows BEFORE %s ON %s FOR EACH ROW"
    " EXECUTE FUNCTION baro_refuse_change()', events, relation);"
    "    END $body$;"
    "  END IF;"
    "END $do$;"
    "CREATE OR REPLACE FUNCTION baro_grant(role text) RETURNS void LANGUAGE plpgsql AS $body$"
    "DECLARE"
    "  command text;"
    "BEGIN"
    "  PERFORM pg_advisory_xact_lock(hashtext('baro schema'));"
    "  FOR command IN"
    "    WITH wanted AS ("
    "      SELECT c.oid::regclass AS relation, p.privilege,"
    "             p.privilege IN ('SELECT', 'INSERT')"
    "             OR p.privilege = 'UPDATE' AND coalesce(bit_or(t.tgtype) & 16, 0) = 0"
    "             OR p.privilege = 'DELETE' AND coalesce(bit_or(t.tgtype) & 8, 0) = 0"
    "             AS allowed"
    "      FROM pg_class c LEFT JOIN pg_trigger t"
    "        ON t.tgrelid = c.oid AND t.tgfoid = 'baro_refuse_change'::regproc"
    "      CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS p (privilege)"
    "      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
    "        AND NOT c.relispartition"
    "        AND (c.relname <> 'migration' OR p.privilege = 'SELECT')"
    "      GROUP BY c.oid, p.privilege)"
    "    SELECT format(CASE WHEN allowed THEN 'GRANT %s ON %s TO %I'"
    "                  ELSE 'REVOKE %s ON %s FROM %I' END, privilege, relation, role)"
    "    FROM wanted WHERE has_table_privilege(role, relation, privilege) <> allowed"
    "    UNION ALL"
    "    SELECT format('GRANT USAGE, SELECT ON SEQUENCE %s TO %I', seqrelid::regclass, role)"
    "    FROM pg_sequence WHERE NOT has_sequence_privilege(role, seqrelid, 'USAGE')"
    "      OR NOT has_sequence_privilege(role, seqrelid, 'SELECT')"
    "  LOOP"
    "    EXECUTE command;"
    "  END LOOP;"
    "END $body$;"
    "COMMIT";

struct status rights_prepare(struct db *db)
{
    return db_script(db, PREPARE);
}

static const struct statement GRANT = {"rights_grant", "SELECT baro_grant($1::text) IS NULL"};

struct status rights_grant(struct db *db, const char *role)
{
    struct rows rows;
    return db_query(db, &GRANT, PARAMS(p_text(role)), &rows);
}

static const struct statement EXCESS = {
    "rights_excess", "SELECT count(*) FROM pg_trigger WHERE tgfoid = 'baro_refuse_change'::regproc"
                     " AND (tgtype & 8 <> 0 AND has_table_privilege(tgrelid, 'DELETE')"
                     "  OR tgtype & 16 <> 0 AND has_table_privilege(tgrelid, 'UPDATE'))"};

static const struct statement ROLE = {"rights_role", "SELECT current_user::text"};

struct status rights_role(struct db *db, struct arena *arena, const char **role, bool *excess)
{
    struct rows names, counted;
    struct status st = db_query(db, &ROLE, NO_PARAMS, &names);
    if (failed(st))
        return st;
    *role = text_copy(arena, rows_text(&names, 0, 0));
    st = db_query(db, &EXCESS, NO_PARAMS, &counted);
    if (!failed(st))
        *excess = rows_int64(&counted, 0, 0) > 0;
    return st;
}
