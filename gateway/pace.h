#pragma once
// How fast something may begin: a token bucket whose rate follows what was answered lately. Not
// thread-safe.

#include <stdbool.h>
#include <stdint.h>

struct pace {
    int64_t least;      // a second
    int64_t per_second; // tokens that come
    int64_t tokens;     // in millionths
    int64_t counted_us; // when they were counted
};

// Full, and at its slowest.
struct pace pace_make(int64_t least_per_second, int64_t most, int64_t now_us);

// Counts the tokens, `most` at most; true when there is one. Takes none.
bool pace_has(struct pace *pace, int64_t most, int64_t now_us);

// No tokens come for the time until now: nothing could have begun in it.
void pace_stand_still(struct pace *pace, int64_t now_us);

// Takes one, also when there is none: what was let in meanwhile is owed, `most` at most.
void pace_take(struct pace *pace, int64_t most);

// So many were answered in that time: the pace is a quarter faster than that from now on, and half of
// what it was at least, because a moment without answers says little.
void pace_follow(struct pace *pace, int64_t answers, int64_t elapsed_us);
