-- Campaigns, the coupons that users hold, and what became of each.

CREATE TABLE campaign (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL CHECK (name <> ''),
    code           text NOT NULL UNIQUE,
    type           text NOT NULL CHECK (type IN ('FIXED', 'PERCENT')),
    value          bigint NOT NULL CHECK (value > 0), -- hundredths of a won or of a percent
    max_discount   bigint CHECK (max_discount > 0),
    min_order      bigint NOT NULL CHECK (min_order >= 0),
    total_quantity bigint NOT NULL CHECK (total_quantity > 0),
    claimed        bigint NOT NULL DEFAULT 0,
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    valid_days     integer NOT NULL CHECK (valid_days >= 0),
    last_day       timestamptz,
    created_at     timestamptz NOT NULL,
    epoch          bigint NOT NULL DEFAULT 0, -- grows with each change by an admin
    CHECK (claimed BETWEEN 0 AND total_quantity),
    CHECK (ends_at > starts_at),
    CHECK (CASE type WHEN 'PERCENT' THEN value <= 10000 ELSE value % 100 = 0 END),
    CHECK (valid_days > 0 OR last_day IS NOT NULL)
) WITH (fillfactor = 70);

-- What Redis is told: campaigns that are sold out while their window is open.
CREATE INDEX campaign_sold_out ON campaign (ends_at) WHERE claimed = total_quantity;

CREATE SEQUENCE user_coupon_id INCREMENT BY 1000;

CREATE TABLE user_coupon (
    id          bigint PRIMARY KEY,
    campaign_id bigint NOT NULL REFERENCES campaign,
    user_id     bigint NOT NULL,
    rank        bigint NOT NULL CHECK (rank > 0),
    order_id    bigint,
    discount    bigint NOT NULL DEFAULT 0 CHECK (discount >= 0),
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    held_until  timestamptz,
    used_at     timestamptz,
    status      text NOT NULL
                CHECK (status IN ('AVAILABLE', 'HELD', 'USED', 'EXPIRED', 'CANCELLED')),
    UNIQUE (campaign_id, rank),
    UNIQUE (user_id, campaign_id),
    CHECK ((status = 'HELD') = (held_until IS NOT NULL)),
    CHECK (status NOT IN ('HELD', 'USED') OR order_id IS NOT NULL),
    CHECK (status NOT IN ('AVAILABLE', 'EXPIRED') OR order_id IS NULL),
    CHECK (status <> 'USED' OR used_at IS NOT NULL)
) WITH (fillfactor = 80, autovacuum_analyze_threshold = 100000);

-- An order has at most one coupon; what the sweepers look for.
CREATE UNIQUE INDEX user_coupon_order ON user_coupon (order_id) WHERE status IN ('HELD', 'USED');
-- Used coupons that an admin has cancelled: their orders had the discount.
CREATE INDEX user_coupon_cancelled ON user_coupon (order_id)
    WHERE status = 'CANCELLED' AND used_at IS NOT NULL;
CREATE INDEX user_coupon_held ON user_coupon (held_until) WHERE status = 'HELD';
CREATE INDEX user_coupon_expiry ON user_coupon (expires_at) WHERE status = 'AVAILABLE';

-- Orders that have given back what they may have had: a HoldCoupon that comes after all reserves
-- nothing. Forgotten after a day: no message is that late.
CREATE TABLE coupon_given_back (
    order_id      bigint PRIMARY KEY,
    given_back_at timestamptz NOT NULL DEFAULT baro_now()
);

CREATE TABLE user_coupon_history (
    user_coupon_id bigint NOT NULL,
    change         text NOT NULL
                   CHECK (change IN ('ISSUED', 'HELD', 'USED', 'RESTORED', 'EXPIRED', 'CANCELLED')),
    order_id       bigint,
    at             timestamptz NOT NULL
) WITH (autovacuum_analyze_threshold = 100000);
CREATE INDEX user_coupon_history_of ON user_coupon_history (user_coupon_id);

-- Nobody changes history, and a coupon that was claimed stays one.
SELECT baro_keep('user_coupon', 'DELETE'), baro_keep('user_coupon_history', 'UPDATE OR DELETE');
