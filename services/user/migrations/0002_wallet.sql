-- Wallets and what ever changed them.

-- `version` counts the changes: it is the `number` of the newest history row, and the optimistic
-- guard of the balance.
CREATE TABLE wallet (
    user_id    bigint PRIMARY KEY REFERENCES account,
    balance    bigint NOT NULL DEFAULT 0 CHECK (balance >= 0),
    version    bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_analyze_threshold = 100000);

CREATE SEQUENCE wallet_history_id INCREMENT BY 1000;

-- Append-only, partitioned by month through the id (which carries its second).
CREATE TABLE wallet_history (
    id         bigint NOT NULL PRIMARY KEY,
    user_id    bigint NOT NULL,
    number     bigint NOT NULL CHECK (number > 0),
    type       text NOT NULL CHECK (type IN ('CHARGE', 'USE', 'REFUND', 'ADJUST')),
    amount     bigint NOT NULL CHECK (amount <> 0),
    before     bigint NOT NULL CHECK (before >= 0),
    after      bigint NOT NULL CHECK (after >= 0),
    ref_id     bigint,
    note       text NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (before + amount = after),
    CHECK ((type IN ('USE', 'REFUND')) = (ref_id IS NOT NULL)),
    CHECK (type <> 'CHARGE' OR (amount BETWEEN 1000 AND 100000 AND amount % 10 = 0
                                AND after <= 10000000)),
    CHECK (type <> 'USE' OR amount < 0),
    CHECK (type <> 'REFUND' OR amount > 0)
) PARTITION BY RANGE (id);
CREATE INDEX wallet_history_user ON wallet_history (user_id, number);

-- At most one USE and one REFUND for an order: a unique constraint on the partitioned history would
-- have to contain its id, so the promise has a table of its own.
CREATE TABLE wallet_order_entry (
    order_id bigint NOT NULL,
    type     text NOT NULL CHECK (type IN ('USE', 'REFUND')),
    user_id  bigint NOT NULL,
    amount   bigint NOT NULL CHECK ((amount < 0) = (type = 'USE') AND amount <> 0),
    PRIMARY KEY (order_id, type)
) WITH (autovacuum_analyze_threshold = 100000);

CREATE TABLE wallet_history_default PARTITION OF wallet_history DEFAULT;
SELECT baro_make_partitions('wallet_history', 2);

-- Nobody changes history.
SELECT baro_keep('wallet', 'DELETE'), baro_keep('wallet_history', 'UPDATE OR DELETE'),
       baro_keep('wallet_order_entry', 'UPDATE OR DELETE');
