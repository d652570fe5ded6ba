-- Outside sinks of the events (sinks.c): how far each one has come, and the events that it did not
-- take when it took others.

-- One row for each sink that was ever configured; `owner` delivers while its lease lasts.
CREATE TABLE sink (
    last_id     bigint NOT NULL CHECK (last_id >= 0), -- what came before is settled
    rest_until  timestamptz NOT NULL,                 -- nothing is sent before
    lease_until timestamptz NOT NULL,
    through_at  timestamptz,                          -- when something last got through
    failures    integer NOT NULL DEFAULT 0,           -- rounds in a row in which nothing got through
    refusals    integer NOT NULL DEFAULT 0,           -- events in a row that were refused
    name        text PRIMARY KEY,
    owner       text NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

-- States: 1 WAITING for its next try, 2 DEAD, 3 REPLAYING, 4 REPLAYED. A waiting event that gets
-- through leaves no row; from 2 on it is a dead letter.
CREATE TABLE sink_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    bigint NOT NULL,
    key         bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    since       timestamptz NOT NULL, -- when it was set aside
    tried_at    timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,
    died_at     timestamptz,
    replayed_at timestamptz,
    tries       integer NOT NULL CHECK (tries >= 0),
    state       smallint NOT NULL CHECK (state BETWEEN 1 AND 4),
    sink        text NOT NULL,
    kind        text NOT NULL,
    error       text NOT NULL,
    payload     bytea NOT NULL,
    UNIQUE (sink, event_id),
    CHECK ((died_at IS NULL) = (state = 1)),
    CHECK ((replayed_at IS NULL) = (state <> 4))
) WITH (fillfactor = 80);

-- What the deliverers look for.
CREATE INDEX sink_event_open ON sink_event (sink, key, event_id) WHERE state IN (1, 3);
