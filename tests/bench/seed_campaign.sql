-- One campaign that is open now, with :total coupons that nobody has yet.
INSERT INTO campaign (name, code, type, value, min_order, total_quantity, starts_at, ends_at,
                      valid_days, created_at)
VALUES ('Rush', 'RUSH' || extract(epoch FROM clock_timestamp()), 'FIXED', 10000, 0, :total,
        baro_now() - interval '1 minute', baro_now() + interval '1 year', 30, baro_now())
RETURNING id;
