-- Events for others (lib/bus/outbox.h). txid is the writer's, taken before its ids (outbox.c). The
-- identity must not be cached: ids are taken one by one, so that what is missing was taken before.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    kind        text NOT NULL,
    key         bigint NOT NULL,
    payload     bytea NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT baro_now(),
    txid        xid8 NOT NULL
) WITH (autovacuum_analyze_threshold = 100000);
