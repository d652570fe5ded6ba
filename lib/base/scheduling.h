#pragma once
// How the system's scheduler treats our threads.

// From now on this thread, and all that it starts, take their turn when they wake instead of
// interrupting who runs. Call before threads start; where it is not allowed, nothing changes.
void scheduling_prefer_batches(void);
