-- First outcomes under idempotency keys (lib/bus/inbox.h). A row is written in the transaction of its
-- effect, as a claim when the outcome comes later, and deleted after 24 hours. There is room in the
-- page for the outcome of a claim: its row stays where the index finds it.
CREATE TABLE idempotency (
    id           bytea PRIMARY KEY CHECK (length(id) = 16),
    request_hash bytea NOT NULL CHECK (length(request_hash) = 16),
    code         smallint NOT NULL,
    reason       text NOT NULL,
    field        text,
    message      text,
    reply        bytea,
    created_at   timestamptz NOT NULL DEFAULT baro_now()
) WITH (fillfactor = 50, autovacuum_analyze_threshold = 100000);

CREATE INDEX idempotency_created_at ON idempotency USING brin (created_at);
