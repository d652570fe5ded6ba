#pragma once
// Listens for calls (nng REP, many contexts) and hands them to the dispatcher.
//
// A message carries the calls that waited at the client, and its answer the replies that are ready
// (parcel.h). There are more contexts than clients leave waiting, so that overload is answered and not
// left in socket buffers. Messages are sealed with a keyed MAC (seal.h); what does not open is counted,
// logged once a minute and dropped.

#include "lib/rpc/dispatcher.h"

struct rpc_server;

struct rpc_server_options {
    const char *listen;   // "tcp://127.0.0.1:7001" or "ipc:///path"; tcp port 0: any
    const char *secret;   // shared by all processes
    const char *instance; // name of this replica, shown by Health
    size_t contexts;      // default 4,096
    struct dispatcher *dispatcher;
};

struct status rpc_server_start(const struct rpc_server_options *options,
                               struct rpc_server **server);

// The port it listens on (tcp).
int rpc_server_port(const struct rpc_server *server);

// Health.Check says not serving from now on: balancers stop choosing this replica.
void rpc_server_stop_serving(struct rpc_server *server);

// Closes the socket and frees; call after the dispatcher has drained. Accepts NULL.
void rpc_server_destroy(struct rpc_server *server);
