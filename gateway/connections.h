#pragma once
// A deadline on every connection. libmicrohttpd only limits silence: one byte now and then would
// keep a request alive for ever.

#include <stdint.h>

struct connections;
struct connection;

// How long things may take, from their first byte to their last.
struct connection_limits {
    int64_t head_ms; // a request's head; from the accept on for the first one
    int64_t body_ms; // its body
    int64_t rest_ms; // until the next request begins; until an answer has been read
};

struct connections *connections_create(struct connection_limits limits);

// All connections must have ended. Accepts NULL.
void connections_destroy(struct connections *connections);

// A socket was accepted; the deadline of its first head runs.
struct connection *connection_open(struct connections *connections, int fd);
void connection_close(struct connections *connections, struct connection *connection);

// A request has begun: its head has so long, but no longer than the connection had before. It is there:
// now the body.
void connection_expect_head(const struct connections *connections, struct connection *connection);
void connection_expect_body(const struct connections *connections, struct connection *connection);

// The deadline starts anew: a request is over, or an answer begins to go out.
void connection_restart(const struct connections *connections, struct connection *connection);

// The request is complete and being served: calls have deadlines of their own.
void connection_pause(struct connection *connection);

// Ends the connections whose deadline has passed; returns how many.
int connections_expire(struct connections *connections, int64_t now_us);
