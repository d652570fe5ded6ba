#pragma once
// A deadline on every connection. libmicrohttpd only limits silence: one byte now and then would
// keep a request alive for ever.

#include <stdint.h>

struct connections;
struct connection;

// `limit_ms`: how long a request may take to arrive, an idle connection may stay, an answer may take
// to be read.
struct connections *connections_create(int64_t limit_ms);

// All connections must have ended. Accepts NULL.
void connections_destroy(struct connections *connections);

// A socket was accepted; its deadline runs.
struct connection *connection_open(struct connections *connections, int fd);
void connection_close(struct connections *connections, struct connection *connection);

// The deadline starts anew: a request is over, or an answer begins to go out.
void connection_restart(const struct connections *connections, struct connection *connection);

// The request is complete and being served: calls have deadlines of their own.
void connection_pause(struct connection *connection);

// Ends the connections whose deadline has passed; returns how many.
int connections_expire(struct connections *connections, int64_t now_us);
