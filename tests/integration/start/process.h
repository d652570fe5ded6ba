#pragma once
// One of Baro's own processes, started by a test with an environment of its own.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    int output; // both of its outputs, as they come
    char text[64 * 1024];
    size_t length;
};

// Starts "baro-NAME" with nothing in its environment but PATH and these; ends with NULL.
void process_start(struct process *process, const char *name, const char *const *environment);

// Waits until it has said `words`; false if it ends, or the time is over, before.
bool process_says(struct process *process, const char *words, int64_t within_ms);

// Waits until it has ended; returns its exit status, or minus the signal that killed it; it has a minute.
int process_await_end(struct process *process);

// Asks it to stop, and waits.
int process_stop(struct process *process);

// How often it has said so.
size_t process_count(const struct process *process, const char *words);
