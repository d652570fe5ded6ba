-- Events for others (lib/bus/outbox.h). txid is the writer: readers see only rows of writers below
-- the oldest one that still runs. The identity must not be cached, or ids would leave the order in
-- which transactions take them by more than one.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    kind        text NOT NULL,
    key         bigint NOT NULL,
    payload     bytea NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT baro_now(),
    txid        xid8 NOT NULL
);
