#pragma once
// Dead letters without a sink that could have refused them.

#include <stdint.h>

// A dead letter of a sink that is not configured; its id.
int64_t given_dead_letter(const char *sink);
