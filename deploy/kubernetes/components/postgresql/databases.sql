-- Runs once, in an empty cluster. A database and its owner for each service; the passwords are those
-- of the demo's connection strings.
CREATE ROLE baro_user LOGIN PASSWORD 'user';
CREATE ROLE baro_product LOGIN PASSWORD 'product';
CREATE ROLE baro_order LOGIN PASSWORD 'order';
CREATE ROLE baro_coupon LOGIN PASSWORD 'coupon';
CREATE DATABASE baro_user OWNER baro_user;
CREATE DATABASE baro_product OWNER baro_product;
CREATE DATABASE baro_order OWNER baro_order;
CREATE DATABASE baro_coupon OWNER baro_coupon;
