#pragma once
// TLS around nng's connections. nng's own TLS does not survive what tests/fault/churn.c does to it: its
// dialers give up for ever when a peer dies during a handshake, its pipes miss the end of a peer, its
// listeners leak descriptors. So one thread of ours speaks TLS with the peers, and passes the bytes of
// each connection on to nng over a pair of sockets.

#include <nng/nng.h>

struct tunnel;

// `address` is "HOST:PORT"; `into` is a listener of nng's for "socket://", which gets one end of a
// pair for every connection whose peer has proven itself. nng's errors.
int tunnel_listen(const char *address, nng_listener into, struct tunnel **tunnel);

// Keeps up one connection to the address, with growing pauses while nobody answers.
int tunnel_dial(const char *address, nng_listener into, struct tunnel **tunnel);

int tunnel_port(const struct tunnel *tunnel);

// Ends its connections; what nng has sent is sent as far as the peer takes it. Accepts NULL.
void tunnel_close(struct tunnel *tunnel);
