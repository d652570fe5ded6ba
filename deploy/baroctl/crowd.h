#pragma once
// Many HTTP clients at once, each on a connection of its own: a crowd before one gateway.

#include "lib/base/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Texts are borrowed until the reply; NULL: none.
struct crowd_request {
    const char *method, *path; // below /api/v1
    const char *body, *token, *key, *prefer;
};

// What the member of that index asks next; false: it has nothing left to ask.
typedef bool crowd_next(void *arg, size_t member, struct crowd_request *request);

// What it was answered; status 0: the gateway could not be asked. Returns how many milliseconds the
// member waits before it asks again.
typedef int64_t crowd_answered(void *arg, size_t member, long status, const json_t *reply);

// Runs until no member asks any more; at most `at_once` requests are under way.
void crowd_run(const char *url, size_t members, size_t at_once, struct arena *arena,
               crowd_next *next, crowd_answered *answered, void *arg);
