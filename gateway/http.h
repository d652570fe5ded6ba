#pragma once
// libmicrohttpd's callbacks around `struct request`.

#include "gateway/gateway.h"

struct http_server;

// Listens on settings->http_address. UNAVAILABLE when that is not possible, VALIDATION_ERROR when it
// is no address.
struct status http_server_start(struct gateway *gateway, struct http_server **server);
int http_server_port(const struct http_server *server);

// Accepts no more connections; those that are open go on.
void http_server_quiesce(struct http_server *server);

// Waits until every callback that began before this call has returned: what they saw of the
// gateway's flags is then history.
void http_server_go_round(struct http_server *server);

// Ends every connection. No request may be in a call. Accepts NULL.
void http_server_stop(struct http_server *server);
