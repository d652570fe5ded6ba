#pragma once
// A Redis of a test's own, on a unix socket in a fresh folder: to be emptied, stopped and killed.

#include <sys/types.h>

struct redis_server {
    char folder[64];
    char socket[96];
    char url[160];
    pid_t pid;
};

// Makes the folder; nothing runs yet.
void redis_server_init(struct redis_server *server);

// Starts it empty; does not wait until it answers. Password "": none is needed.
void redis_server_start(struct redis_server *server, const char *password);

// Kills it (kill -9), if it runs.
void redis_server_kill(struct redis_server *server);

// Kills it and removes the folder.
void redis_server_fini(struct redis_server *server);
