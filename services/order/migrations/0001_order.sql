-- Cart, orders, payments, sagas.
--
-- Orders and what hangs on them are partitioned by month through their ids, which carry the second
-- of their creation (lib/base/timeid.h): a row is found by its id alone, in one partition. There are
-- no foreign keys between the parts: all rows of an order are written by one transaction that holds
-- the order's row, and a key check would lock that row once more for every line.

CREATE SEQUENCE order_sequence INCREMENT BY 1000;
CREATE SEQUENCE payment_sequence INCREMENT BY 1000;
CREATE SEQUENCE saga_sequence INCREMENT BY 1000;

CREATE TABLE orders (
    id             bigint NOT NULL,
    user_id        bigint NOT NULL,
    saga_id        bigint,              -- the latest saga that works for this order
    user_coupon_id bigint,
    total_amount   bigint NOT NULL,
    discount       bigint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    paid_at        timestamptz,
    version        integer NOT NULL,    -- number of status changes so far
    status         smallint NOT NULL CHECK (status BETWEEN 1 AND 12),
    failure_reason text,
    PRIMARY KEY (id),
    CHECK (total_amount >= 0 AND discount BETWEEN 0 AND total_amount),
    CHECK (discount = 0 OR user_coupon_id IS NOT NULL),
    CHECK ((paid_at IS NULL) = (status NOT IN (4, 5, 6, 7, 11, 12)))
) PARTITION BY RANGE (id);

CREATE INDEX orders_of_user ON orders (user_id, id);

-- The orders that are PENDING, for the sweep. An index of the orders with the status in its predicate
-- would do, but then every change of a status would have to touch all indexes of the order; without
-- it the change stays in the row's page (HOT).
CREATE TABLE order_pending (
    order_id   bigint PRIMARY KEY,
    expires_at timestamptz NOT NULL
) WITH (autovacuum_analyze_threshold = 100000);

CREATE TABLE order_item (
    order_id     bigint NOT NULL,
    option_id    bigint NOT NULL,
    product_id   bigint NOT NULL,
    unit_price   bigint NOT NULL CHECK (unit_price >= 0),
    quantity     integer NOT NULL CHECK (quantity BETWEEN 1 AND 10),
    line         smallint NOT NULL,
    product_name text NOT NULL,
    option_name  text NOT NULL,
    PRIMARY KEY (order_id, line)
) PARTITION BY RANGE (order_id);

-- One row for each status that an order has had; version counts them without gaps.
CREATE TABLE order_history (
    order_id bigint NOT NULL,
    at       timestamptz NOT NULL,
    version  integer NOT NULL CHECK (version > 0),
    status   smallint NOT NULL CHECK (status BETWEEN 1 AND 12),
    reason   text,
    PRIMARY KEY (order_id, version)
) PARTITION BY RANGE (order_id);

-- One row for each attempt to pay.
CREATE TABLE payment (
    id           bigint NOT NULL,
    order_id     bigint NOT NULL,
    amount       bigint NOT NULL CHECK (amount >= 0),
    created_at   timestamptz NOT NULL,
    completed_at timestamptz,
    version      smallint NOT NULL,
    status       smallint NOT NULL CHECK (status BETWEEN 1 AND 6),
    reason       text,
    PRIMARY KEY (id, order_id)
) PARTITION BY RANGE (order_id);

-- Finds the attempts of an order, and lets at most one of them be COMPLETED or REFUNDED.
CREATE UNIQUE INDEX payment_of_order
    ON payment (order_id, (CASE WHEN status IN (3, 6) THEN 0 ELSE id END));

CREATE TABLE payment_history (
    order_id    bigint NOT NULL,
    payment_id  bigint NOT NULL,
    at          timestamptz NOT NULL,
    version     smallint NOT NULL CHECK (version > 0),
    from_status smallint NOT NULL,
    to_status   smallint NOT NULL,
    reason      text,
    PRIMARY KEY (order_id, payment_id, version)
) PARTITION BY RANGE (order_id);

CREATE TABLE orders_default PARTITION OF orders DEFAULT;
CREATE TABLE order_item_default PARTITION OF order_item DEFAULT;
CREATE TABLE order_history_default PARTITION OF order_history DEFAULT;
CREATE TABLE payment_default PARTITION OF payment DEFAULT;
CREATE TABLE payment_history_default PARTITION OF payment_history DEFAULT;

SELECT baro_make_partitions(parent, 2, CASE parent WHEN 'orders' THEN 60 ELSE 100 END)
    FROM unnest('{orders,order_item,order_history,payment,payment_history}'::text[]) AS parent;

-- Orders and attempts are never deleted (SPEC 7); nobody changes history.
SELECT baro_keep('orders', 'DELETE'), baro_keep('payment', 'DELETE'),
       baro_keep('order_item', 'UPDATE OR DELETE'), baro_keep('order_history', 'UPDATE OR DELETE'),
       baro_keep('payment_history', 'UPDATE OR DELETE');

-- Written at the start and at the end; `owner` walks it while its lease lasts. The rows that are not
-- final are few: the partial index is read whole.
CREATE TABLE saga (
    id              bigint PRIMARY KEY,
    order_id        bigint NOT NULL,
    order_version   integer NOT NULL CHECK (order_version > 0), -- the change of status that began it
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    lease_until     timestamptz NOT NULL,
    failure_code    smallint NOT NULL DEFAULT 0,
    state           smallint NOT NULL CHECK (state BETWEEN 0 AND 3),
    attempts        integer NOT NULL DEFAULT 0,
    held            boolean NOT NULL DEFAULT false,
    parked          boolean NOT NULL DEFAULT false,
    kind            text NOT NULL CHECK (kind IN ('pay', 'refund', 'release')),
    owner           text NOT NULL,
    step            text,
    failure_reason  text,
    failure_message text,
    context         bytea NOT NULL,
    timeline        bytea
) WITH (fillfactor = 80, autovacuum_analyze_threshold = 100000);

CREATE INDEX saga_open ON saga (id) WHERE state < 2;
CREATE INDEX saga_of_order ON saga (order_id);
-- What people look for afterwards; few, so that the good path writes no index for them.
CREATE INDEX saga_compensated ON saga (id) WHERE state = 3;

CREATE TABLE cart_item (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id   bigint NOT NULL,
    option_id bigint NOT NULL,
    quantity  bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
    UNIQUE (user_id, option_id)
) WITH (fillfactor = 80);
