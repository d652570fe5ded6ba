#pragma once
// How far a long command has come: one line on a terminal that is written again and again; nothing
// when standard error is no terminal.

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; // "orders"
    int64_t total;
    int64_t started_us;
    int64_t shown_us;
    bool terminal;
};

void progress_start(struct progress *progress, const char *what, int64_t total);

// Shows it, at most ten times a second.
void progress_show(struct progress *progress, int64_t done);

// Shows what is done instead of the bar: "writing the stock".
void progress_say(struct progress *progress, const char *what);

// Clears the line.
void progress_end(struct progress *progress);

// The line, into text of size bytes: "[#####     ]  50 %  500 of 1000 orders, 20 s left".
void progress_line(const struct progress *progress, int64_t done, int64_t now_us, char *text,
                   unsigned size);
