-- How far this service has read the events of others (lib/bus/consumer.h): one row a consumer, whose
-- lock lets one replica at a time apply.
CREATE TABLE event_cursor (
    consumer text PRIMARY KEY,
    last_id  bigint NOT NULL DEFAULT 0 CHECK (last_id >= 0)
) WITH (fillfactor = 50);
