#pragma once
// Redis that answers promptly or not at all: whoever asks is called back at the deadline, while the
// command may still be done.

#include "lib/cache/cache.h"

struct prompt;

// Connects in the background. INVALID_ARGUMENT for a bad URL.
struct status prompt_create(const char *url, int64_t deadline_ms, struct prompt **prompt);

// Answers what waits; from now on everything is answered at once, with NULL. Accepts NULL.
void prompt_stop(struct prompt *prompt);

// Frees what was stopped. Accepts NULL.
void prompt_destroy(struct prompt *prompt);

// Receives the reply, or NULL when there is none: Redis is away, late, or refuses. The reply is
// valid during the call. It comes once, on any thread, maybe before prompt_ask returns, and must not
// block.
typedef void prompt_done(void *arg, const struct cache_value *value);

void prompt_ask(struct prompt *prompt, struct cache_command command, prompt_done *done, void *arg);
