-- What a saga's commands have done here (lib/saga/barrier.h). op 0 is the step's action, 1 its
-- compensation. The primary key is where racing copies meet.
CREATE TABLE barrier (
    saga_id    bigint NOT NULL,
    step       text NOT NULL,
    op         smallint NOT NULL CHECK (op IN (0, 1)),
    code       smallint NOT NULL,
    reason     text NOT NULL,
    field      text,
    message    text,
    reply      bytea,
    created_at timestamptz NOT NULL DEFAULT baro_now(),
    PRIMARY KEY (saga_id, step, op)
) WITH (autovacuum_analyze_threshold = 100000);

CREATE INDEX barrier_created_at ON barrier USING brin (created_at);
