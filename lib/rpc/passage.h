#pragma once
// One connection of a tunnel: bytes in TLS on the network's side, the same bytes in the clear on
// nng's. Part of tunnel.c, whose thread is the only one that touches it.

#include <nng/nng.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is called when epoll has something for a descriptor.
struct watch {
    void (*moved)(void *arg);
    void *arg;
};

// Has epoll watch a descriptor for edges; `operation` is epoll_ctl's.
void watch_edges(int poller, int fd, struct watch *watch, int operation);

enum { PASSAGE_FLOW_SIZE = 32 * 1024 };

// What all passages of the process share.
struct passage_border {
    int poller;
    struct metric *refused;
};

struct passage_flow {
    unsigned char bytes[PASSAGE_FLOW_SIZE];
    size_t from, to;
};

struct passage {
    struct watch watch;
    const struct passage_border *border;
    int net, local; // local: -1 until nng is offered its end
    nng_listener into;
    SSL *ssl;
    bool proven; // the peer is who it says
    bool taken;  // nng has said something at its end
    int64_t taken_by_us;
    bool dead;
    struct passage_flow out, in; // to the network, from it
    struct passage *next;
};

// Takes the connected socket `net` over, watches it, and shakes hands as the server or the client.
struct passage *passage_open(const struct passage_border *border, int net, bool serving,
                             nng_listener into);

// Offers nng's listener for "socket://" the other end of a proven passage; from now on bytes pass. nng (1.10)
// loses the second of two that wait there: only one may be offered and not taken at a time.
void passage_offer(struct passage *passage);

// Moves whatever can be moved without waiting.
void passage_move(struct passage *passage);

// True when one side has ended, or the peer has not proven itself, or nng has not spoken, in time.
bool passage_is_over(const struct passage *passage, int64_t now_us);

// Frees it. No event may name it any more.
void passage_close(struct passage *passage);
