-- Who hears which partition of the saga commands (lib/bus/leases.h). Sixteen rows for ever, and one
-- row for each replica that was alive not long ago.
CREATE TABLE bus_partition (
    partition   smallint PRIMARY KEY CHECK (partition BETWEEN 0 AND 15),
    owner       text,
    lease_until timestamptz,
    CHECK ((owner IS NULL) = (lease_until IS NULL))
) WITH (fillfactor = 50);

INSERT INTO bus_partition (partition) SELECT generate_series(0, 15);

CREATE TABLE bus_replica (
    instance    text PRIMARY KEY,
    alive_until timestamptz NOT NULL
) WITH (fillfactor = 50);
