-- One option a product, :stock of each.
WITH product AS (
    INSERT INTO product (name, description, category, price)
    SELECT 'Bench ' || g, '', 'bench', 1000 FROM generate_series(1, :count) AS g
    RETURNING id
), option AS (
    INSERT INTO product_option (product_id, name, price, total)
    SELECT id, 'one size', 1000, :stock FROM product ORDER BY id
    RETURNING id, total
)
INSERT INTO stock_movement (option_id, delta, kind) SELECT id, total, 'INITIAL' FROM option;
