-- Accounts that never sign in (their tokens are signed by the load generator), with full wallets.
WITH account AS (
    INSERT INTO account (email, name, role, password_hash, created_at)
    SELECT 'bench' || g || '@example.com', 'bench', 'USER', '$argon2id$none', baro_now()
    FROM generate_series(1, :count) AS g
    RETURNING id
), wallet AS (
    INSERT INTO wallet (user_id, balance, version, updated_at)
    SELECT id, 10000000, 1, baro_now() FROM account
    RETURNING user_id
)
INSERT INTO wallet_history (id, user_id, number, type, amount, before, after, note, created_at)
SELECT user_id, user_id, 1, 'ADJUST', 10000000, 0, 10000000, 'bench', baro_now() FROM wallet;
