#pragma once
// `Prefer` (RFC 7240), as far as we have something to prefer: how long the client waits for a result.

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { PREFER_WAIT_MAX_S = 25 }; // a call may take 30 s, and has more to do than to wait

struct preferences {
    bool respond_async;
    bool has_wait;
    int64_t wait_s; // cut to PREFER_WAIT_MAX_S
};

// Adds the preferences of one header field to those of the fields before. Of a repeated preference
// the first one counts; what is not ours, or makes no sense, is passed over.
void preferences_read(struct preferences *preferences, const char *field);

// How long to wait: as long as was asked for, not at all for `respond-async` alone, else the default.
int64_t preferences_wait_ms(const struct preferences *preferences, int64_t default_ms);

// What `Preference-Applied` says, NULL for nothing; `early`: the answer came before the result.
const char *preferences_applied(const struct preferences *preferences, bool early,
                                struct arena *arena);
