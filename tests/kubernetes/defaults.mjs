// The settings that no manifest names, because a cluster keeps their defaults until its operator has a
// reason. Whoever adds a setting decides: a manifest gives it, or it stands here.
const words = (text) => text.trim().split(/\s+/);

export const kept = new Set([
  // how much is done at a time; what a replica asks of its node follows from it
  ...words(`BARO_BATCH_MAX BARO_QUEUE_MAX BARO_READ_WORKERS BARO_WRITE_WORKERS BARO_RPC_IN_FLIGHT
    BARO_CALL_DELAY BARO_HTTP_THREADS`),
  // what clients may do and how long they may take, the same wherever the shop runs
  ...words(`BARO_BLOCK_FAILURES BARO_LIMIT_CLAIMS BARO_LIMIT_LOGINS BARO_LIMIT_ORDERS BARO_OPEN_ORDERS
    BARO_HTTP_BODY_DEADLINE BARO_HTTP_CONNECTIONS BARO_HTTP_HEAD_DEADLINE BARO_STREAMS
    BARO_STREAMS_PER_USER BARO_STREAM_HEARTBEAT BARO_STREAM_LIFETIME BARO_STREAM_LOOK
    BARO_CATALOGUE_CACHE BARO_CORS_ORIGINS`),
  // the shop's own times
  ...words(`BARO_CHECKOUT_TTL BARO_ORDER_TTL BARO_EXPIRY_PERIOD BARO_SWEEP_PERIOD BARO_LAW_PERIOD
    BARO_SAGA_DECIDE_AFTER BARO_SAGA_HELD_AFTER BARO_SAGA_LEASE BARO_SAGA_PARK_AFTER BARO_SAGA_RETRY`),
  // starts and stops: the probes and the grace period are made for them
  ...words("BARO_START_WAIT BARO_DRAIN"),
  // the pod's name is the replica's, and `baro` the one on all certificates
  ...words("BARO_INSTANCE BARO_TLS_NAME"),
  // how a sink of the operator's own is to be spoken with
  ...words(`BARO_KAFKA_CA BARO_KAFKA_CERT BARO_KAFKA_KEY BARO_KAFKA_PASSWORD BARO_KAFKA_SASL
    BARO_KAFKA_SECURITY BARO_KAFKA_TIMEOUT BARO_KAFKA_TOPIC BARO_KAFKA_USER BARO_SINK_GIVE_UP
    BARO_SINK_RETRY BARO_SINK_TRIES BARO_WEBHOOK_ALLOW_PRIVATE BARO_WEBHOOK_CONCURRENCY BARO_WEBHOOK_TIMEOUT`),
  // for demonstrations on one machine
  "BARO_FAULT_PANEL",
]);
