#pragma once
// The processes of a stack (deploy/local/stack), as something that can be struck.
//
// What runs is found by the stack's pid files, started anew as our children with the very environment
// that the stack gave them, and started again whenever it has died. Pid files stay true, so that the
// stack's own `down` finds everybody.

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proxies;

enum { PROCESSES_MAX = 16 };

// What a process gets beyond the stack's environment.
enum dress {
    DRESS_PLAIN = 0,
    DRESS_PROXIES = 1,     // peers, PostgreSQL and Redis are reached through the fault proxy
    DRESS_CLOCK = 2,       // a clock of its own, to be stepped (libfaketime)
    DRESS_LONG_LEASES = 4, // the leases and patience of production
    DRESS_LINKS = 8        // peers are reached over TCP, where packets.h can strike
};

struct process {
    char name[16]; // "user"
    int replica;
    pid_t pid; // 0: it is dead
    char *path;
    char **environment; // the stack's
};

struct cluster {
    const char *folder;
    const char *board;   // path of the fault board's file
    const char *webhook; // where the order service sends its events
    struct proxies *proxies;
    unsigned dress;
    struct process processes[PROCESSES_MAX];
    int count;
};

// Finds the processes of the stack; ends the program if there are none.
void cluster_find(struct cluster *cluster);

// Kills all and starts them in this dress; returns when they are ready, false if they do not become so.
bool cluster_dress(struct cluster *cluster, unsigned dress);

struct process *cluster_process(struct cluster *cluster, pid_t pid); // NULL: none has it

// kill -9; returns when it is gone.
void process_kill(struct process *process);

// Notices that it has died; starts what is dead.
bool process_is_dead(struct process *process);
void process_start(struct cluster *cluster, struct process *process);

// Ends it in good order; false when it has to be killed.
bool process_stop(struct process *process);

bool process_is_ready(const struct process *process);
bool process_await_ready(struct process *process, int64_t timeout_ms);

// Starts what is dead, wakes what is stopped, sets clocks right, waits until all are ready.
bool cluster_heal(struct cluster *cluster, int64_t timeout_ms);

// Steps the clock of a process by so many seconds from the true time.
void process_set_clock(const struct cluster *cluster, const struct process *process,
                       int64_t offset_s);

void pause_ms(int64_t ms);
