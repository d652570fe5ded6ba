#pragma once
// A fault proxy in front of the sockets of a stack: between the processes (nng over ipc), towards
// PostgreSQL and towards Redis. It knows where a message of nng begins and ends, and which message to
// PostgreSQL is a COMMIT; what it does to them is said in chances of a thousand messages.

#include <stddef.h>

struct proxies;

// What happens to messages between processes, to pieces of what goes to and from Redis, and to COMMITs.
struct misfortune {
    int drop, delay, duplicate, reorder, drip, cut, cut_within; // per thousand
    int delay_max_ms;
    int commit_cut; // per thousand COMMITs: the connection is lost before, at or after it
    int redis_cut, redis_delay;
};

// Listens in a folder of its own under /tmp. Nothing happens to anybody yet.
struct proxies *proxies_open(void);
void proxies_close(struct proxies *proxies); // removes the folder; connections end with the process

// Listens at a path for those who want another; what listens there already stays.
enum { PATH_SIZE = 108 }; // of a socket
enum wire { WIRE_NNG, WIRE_POSTGRES, WIRE_REDIS };
void proxies_listen(struct proxies *proxies, enum wire wire, const char *here, const char *there);
const char *proxies_folder(const struct proxies *proxies);

// A line of a process's environment with the addresses of others replaced by ours (which are made as
// they are asked for); the caller frees it. Where the process itself listens stays.
char *proxies_reroute(struct proxies *proxies, const char *line);

void proxies_set(struct proxies *proxies, const struct misfortune *misfortune);
