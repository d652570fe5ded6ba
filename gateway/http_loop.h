#pragma once
// A thread that turns one libmicrohttpd daemon.

#include <microhttpd.h>
#include <stdbool.h>

struct http_loop;

// What happens around each turn, on the loop's thread; `end` only if `begin` returned true.
struct http_round {
    bool (*begin)(void *arg);
    void (*end)(void *arg);
    void *arg;
};

// Runs a daemon that was started with MHD_USE_EPOLL and MHD_USE_ITC, and takes it over.
struct http_loop *http_loop_start(struct MHD_Daemon *daemon, struct http_round round);

// Accepts no more connections; returns at once.
void http_loop_quiesce(struct http_loop *loop);

// Waits until every callback that runs now, or began before this call, has returned.
void http_loop_go_round(struct http_loop *loop);

// Ends the thread and the daemon. No connection may be suspended. Accepts NULL.
void http_loop_stop(struct http_loop *loop);
