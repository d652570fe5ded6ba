-- The catalogue, the stock and what is held of it.
CREATE TABLE product (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL,
    category    text NOT NULL,
    is_active   boolean NOT NULL DEFAULT true,
    -- The lowest price of its options, 0 without any: what lists are sorted by. Kept by the
    -- statements that change options, under the lock of this row.
    price       bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT baro_now(),
    deleted_at  timestamptz
);

CREATE INDEX product_listed_by_price ON product (price, id) WHERE is_active AND deleted_at IS NULL;

CREATE TABLE product_image (
    product_id bigint NOT NULL REFERENCES product,
    position   integer NOT NULL,
    url        text NOT NULL,
    sequence   integer NOT NULL CHECK (sequence >= 0),
    PRIMARY KEY (product_id, position)
);

-- Whoever changes total or held, or a hold of this option, has locked its row; several rows are
-- locked in id order. Room for versions in the page, and no index on what changes: updates stay HOT.
CREATE TABLE product_option (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id bigint NOT NULL REFERENCES product,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    price      bigint NOT NULL CHECK (price BETWEEN 0 AND 10000000 AND price % 100 = 0),
    total      bigint NOT NULL,
    held       bigint NOT NULL DEFAULT 0,
    CHECK (held >= 0),
    CHECK (total >= held)
) WITH (fillfactor = 50);

CREATE INDEX product_option_product ON product_option (product_id);

-- Stock reserved for one order. Rows are never deleted: they prove what an order took. No foreign
-- key to the option: the row is written under the option's lock, and options are never deleted.
CREATE TABLE hold (
    order_id   bigint NOT NULL,
    option_id  bigint NOT NULL,
    quantity   bigint NOT NULL CHECK (quantity > 0),
    status     text NOT NULL CHECK (status IN ('HELD', 'CONFIRMED', 'RETURNED', 'RELEASED')),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, option_id)
) WITH (fillfactor = 80, autovacuum_analyze_threshold = 100000);

CREATE INDEX hold_expiry ON hold (expires_at) WHERE status = 'HELD';

-- Orders that gave back before anything was held for them: a HoldStock that comes after all holds
-- nothing. Forgotten after a day: no message is that late.
CREATE TABLE hold_given_back (
    order_id      bigint PRIMARY KEY,
    given_back_at timestamptz NOT NULL DEFAULT baro_now()
);

-- Every change of a total, for ever: total = sum(delta).
CREATE TABLE stock_movement (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    option_id  bigint NOT NULL,
    delta      bigint NOT NULL CHECK (delta <> 0),
    kind       text NOT NULL CHECK (kind IN ('INITIAL', 'ADMIN', 'ORDER', 'RETURN')),
    order_id   bigint CHECK ((order_id IS NOT NULL) = (kind IN ('ORDER', 'RETURN'))),
    note       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT baro_now()
) WITH (autovacuum_analyze_threshold = 100000);

SELECT baro_keep('hold', 'DELETE'), baro_keep('stock_movement', 'UPDATE OR DELETE');
