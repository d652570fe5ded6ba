-- Runs once, in an empty cluster. For each service a database, its owner, who makes the tables, and the
-- role that serves, which gets its rights from the owner. The passwords are those of the demo's
-- connection strings.

CREATE ROLE baro_user LOGIN PASSWORD 'owner';
CREATE ROLE baro_user_service LOGIN PASSWORD 'service';
CREATE DATABASE baro_user OWNER baro_user;

CREATE ROLE baro_product LOGIN PASSWORD 'owner';
CREATE ROLE baro_product_service LOGIN PASSWORD 'service';
CREATE DATABASE baro_product OWNER baro_product;

CREATE ROLE baro_order LOGIN PASSWORD 'owner';
CREATE ROLE baro_order_service LOGIN PASSWORD 'service';
CREATE DATABASE baro_order OWNER baro_order;

CREATE ROLE baro_coupon LOGIN PASSWORD 'owner';
CREATE ROLE baro_coupon_service LOGIN PASSWORD 'service';
CREATE DATABASE baro_coupon OWNER baro_coupon;
