#pragma once
// Numbers that spread load: jitter, the choice among equals. Never a secret, a key or a token.

#include <stdint.h>

// The next of a xorshift64 sequence; *state is its seed at first and must not be 0.
uint64_t random_next(uint64_t *state);
