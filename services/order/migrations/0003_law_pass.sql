-- The last check of the laws (services/order/invariants.h), for all replicas: one row.
CREATE TABLE law_pass (
    id          smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    lease_until timestamptz NOT NULL,    -- somebody makes the next one
    checked_at  timestamptz NOT NULL,    -- when the last one began
    took        interval NOT NULL,
    report      bytea                    -- Invariants; NULL: there was none
) WITH (fillfactor = 50);

INSERT INTO law_pass (lease_until, checked_at, took, report)
VALUES ('-infinity', '-infinity', '0', NULL);
