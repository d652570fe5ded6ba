#pragma once
// SIGTERM and SIGINT end a process in order: main waits for them, no handler interrupts anything.

// Blocks both in this thread and in all that it starts from now on; a peer that is gone (SIGPIPE) is
// an error of write, not the end. Call before threads start.
void termination_block(void);

// Waits for either; returns its number.
int termination_wait(void);
