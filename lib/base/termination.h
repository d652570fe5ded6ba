#pragma once
// SIGTERM and SIGINT end a process in order: main waits for them, no handler interrupts anything.

#include <stdbool.h>
#include <stdint.h>

// Blocks both in this thread and in all that it starts from now on; a peer that is gone (SIGPIPE) is
// an error of write, not the end. Call before threads start.
void termination_block(void);

// Waits for either; returns its number.
int termination_wait(void);

// The same for at most so long; 0 when neither came.
int termination_wait_ms(int64_t timeout_ms);

// True once one has come and nobody has waited for it yet.
bool termination_is_pending(void);
