#pragma once
// The running processes, for tests that take them away: pid files are those of deploy/local/stack,
// whose folder is $BARO_STACK_DIR.

#include <stdint.h>

// Sends a signal to replica i of a process ("user"); kill -9 waits until it is gone.
void stack_signal(const char *name, int replica, int signal_number);

// Starts it again, with the environment of now; does not wait until it is ready.
void stack_start(const char *name, int replica);

// The same for all replicas of a process.
void stack_kill_all(const char *name);
void stack_start_all(const char *name);

// What a process keeps in memory, in KiB.
int64_t stack_memory_kib(const char *name, int replica);

// Lets it end in good order; returns when it has.
void stack_stop(const char *name, int replica);

// Starts a gateway and waits until it is ready.
void stack_start_gateway(int replica);

// "http://127.0.0.1:18081" of a gateway; static until the next call.
const char *stack_gateway(int replica);

// The port of a replica's /metrics.
int stack_ops_port(const char *name, int replica);

// Number of replicas of each service.
int stack_replicas(void);

// Kills PostgreSQL with all its backends (kill -9) and starts it again; returns when it answers.
void stack_crash_database(void);

// Takes everything out of Redis; ends it; starts it again.
void stack_empty_redis(void);
void stack_stop_redis(void);
void stack_start_redis(void);
