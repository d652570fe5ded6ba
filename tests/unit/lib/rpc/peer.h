#pragma once
// Replicas in processes of their own, so that they can be killed and stopped. Nobody may fork after
// the first use of nng: start all peers first.

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rpc_client;

struct peer {
    pid_t pid;
    int control; // one letter commands: 's' stop serving, 'd' drain
    char url[64];
};

// Starts a replica that answers Echo with its name after `pause_ms`; url "tcp" or "ipc" for any free
// address, or a full one.
struct peer peer_start(const char *name, const char *url, int pause_ms);
void peer_command(const struct peer *peer, char command);
void peer_kill(const struct peer *peer, int signal);

// Says who answered ("" when nobody did) and how it ended.
struct echo {
    int code;
    int reason;
    char text[64];
    char message[128];
};
struct echo peer_echo(struct rpc_client *client, const char *text, int64_t timeout_ms,
                      bool idempotent);

// A client of the peers' addresses ("a,b"); waits until it is ready if told so.
struct rpc_client *peer_client(const char *addresses, const char *secret);
void peer_wait_ready(struct rpc_client *client);
