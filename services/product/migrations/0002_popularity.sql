-- What was sold and not given back, by the hour of the payment. Written by one consumer of the order
-- service's events at a time, under the lock of its cursor; a window is a merge of rows. Nothing that
-- changes is indexed, and there is room for versions in the page: updates stay HOT.
CREATE TABLE sales_hour (
    hour         timestamptz NOT NULL CHECK (date_trunc('hour', hour, 'UTC') = hour),
    product_id   bigint NOT NULL,
    option_id    bigint NOT NULL,
    units        bigint NOT NULL CHECK (units >= 0),
    last_paid_at timestamptz NOT NULL,
    PRIMARY KEY (hour, product_id, option_id)
) WITH (fillfactor = 70, autovacuum_analyze_threshold = 100000);

-- The ranking as it was at a midnight UTC: one row of popular_snapshot says that it was taken, also
-- when nothing had been sold; whoever inserts it writes the rows.
CREATE TABLE popular_snapshot (
    day      date PRIMARY KEY,
    taken_at timestamptz NOT NULL DEFAULT baro_now()
);

CREATE TABLE popular_snapshot_row (
    day          date NOT NULL REFERENCES popular_snapshot,
    rank         integer NOT NULL CHECK (rank >= 1),
    product_id   bigint NOT NULL,
    name         text NOT NULL,
    price        bigint NOT NULL,
    units_sold   bigint NOT NULL CHECK (units_sold > 0),
    last_paid_at timestamptz NOT NULL,
    PRIMARY KEY (day, rank),
    UNIQUE (day, product_id)
);
