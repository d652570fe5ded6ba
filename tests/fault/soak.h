#pragma once
// Nothing is broken, and nobody may need more and more: memory and descriptors of every process.

struct ground;

// A strike: lets the customers shop for a while, then looks.
void soak(struct ground *ground);
