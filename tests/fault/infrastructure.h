#pragma once
// PostgreSQL, Redis and the disk under a stack, to be broken and mended.

#include <stdbool.h>
#include <stdint.h>

struct infrastructure;

// Of the stack in this folder, whose servers run (deploy/local/servers).
struct infrastructure *infrastructure_open(const char *folder);
void infrastructure_close(struct infrastructure *infrastructure);

// Crashes PostgreSQL in one of its ways: a backend is killed (it recovers by itself), an immediate
// shutdown, kill -9 of the server; returns when it is under way again.
enum crash { CRASH_BACKEND, CRASH_IMMEDIATE, CRASH_KILL, CRASH_KINDS };
void postgres_crash(struct infrastructure *infrastructure, enum crash crash);

// Kills Redis (kill -9) and starts it again; empties it; stops and wakes it.
void redis_kill(struct infrastructure *infrastructure);
void redis_start(struct infrastructure *infrastructure);
void redis_empty(struct infrastructure *infrastructure);
void redis_stop(struct infrastructure *infrastructure);
void redis_wake(struct infrastructure *infrastructure);

// Takes the last byte of the file system that the folder is on; only when that is a tmpfs of its own
// (tests/fault/run). False otherwise.
bool disk_fill(struct infrastructure *infrastructure);
void disk_free(struct infrastructure *infrastructure);

// Whatever was done is undone, and both servers answer. False if they do not.
bool infrastructure_heal(struct infrastructure *infrastructure);
