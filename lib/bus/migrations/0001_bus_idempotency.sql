-- First outcomes under idempotency keys (lib/bus/inbox.h). A row is written once, in the transaction
-- of its effect, and deleted after 24 hours.
CREATE TABLE idempotency (
    id           bytea PRIMARY KEY CHECK (length(id) = 16),
    request_hash bytea NOT NULL CHECK (length(request_hash) = 16),
    code         smallint NOT NULL,
    reason       text NOT NULL,
    field        text,
    message      text,
    reply        bytea,
    created_at   timestamptz NOT NULL DEFAULT baro_now()
);

CREATE INDEX idempotency_created_at ON idempotency USING brin (created_at);
