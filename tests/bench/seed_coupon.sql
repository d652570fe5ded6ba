-- Campaigns that every user has claimed already: user coupon n (from 1) belongs to user number
-- (n - 1) % :users.
WITH campaign AS (
    INSERT INTO campaign (name, code, type, value, min_order, total_quantity, claimed, starts_at,
                          ends_at, valid_days, created_at)
    SELECT 'Bench ' || g, 'BENCH' || g, 'FIXED', 10000, 0, :users, :users, baro_now(),
           baro_now() + interval '1 year', 30, baro_now()
    FROM generate_series(1, :campaigns) AS g
    RETURNING id
), numbered AS (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM campaign
), coupon AS (
    INSERT INTO user_coupon (id, campaign_id, user_id, rank, issued_at, expires_at, status)
    SELECT number * :users + g, numbered.id, :first_user + g - 1, g, baro_now(),
           baro_now() + interval '30 days', 'AVAILABLE'
    FROM numbered, generate_series(1, :users) AS g
    RETURNING id
)
INSERT INTO user_coupon_history (user_coupon_id, change, at) SELECT id, 'ISSUED', baro_now() FROM coupon;
SELECT setval('user_coupon_id', (:campaigns + 1) * :users);
