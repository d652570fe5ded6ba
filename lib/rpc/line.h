#pragma once
// Where a socket listens or dials, over TLS (tunnel.h) or plainly, as the address says.

#include <nng/nng.h>

struct line;

// "tcp://HOST:PORT", "tls+tcp://HOST:PORT" or "ipc:///path". Dialing goes on in the background, again
// and again. Returns nng's errors; NNG_EPEERAUTH when the address and this process's certificates
// (tls.h) do not agree.
int line_listen(nng_socket socket, const char *url, struct line **line);
int line_dial(nng_socket socket, const char *url, struct line **line);

// Where it listens: 0 for ipc.
int line_port(const struct line *line);

// Ends its connections, before the socket is closed. Accepts NULL.
void line_close(struct line *line);
