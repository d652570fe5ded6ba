#pragma once
// A model is pinned to the text that it stands for: when a statement or a script changes, the simulator
// ends and asks for a look at its model.

#include <stdint.h>

// The simulator's exit status then: not 1, which says that a law is broken.
enum { EXIT_NO_MODEL = 2 };

static inline uint32_t pin_of(const char *text)
{
    uint32_t hash = UINT32_C(0x811c9dc5);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(0x01000193);
    return hash;
}
