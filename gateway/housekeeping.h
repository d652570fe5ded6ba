#pragma once
// A thread for what happens by itself: connections that are overdue, keys that are due.

struct gateway;
struct housekeeping;

struct housekeeping *housekeeping_start(struct gateway *gateway);

// Waits for the thread. Accepts NULL.
void housekeeping_stop(struct housekeeping *housekeeping);
