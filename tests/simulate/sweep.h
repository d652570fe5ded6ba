#pragma once
// Instead of a mixture of faults: one fault a run, at each place at which it can happen.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Runs a seed; returns how many laws are broken.
typedef size_t sweep_run(uint64_t seed, bool print, size_t *sagas);

// Runs the seed once for every `every`th time at each place; false when a law is broken.
bool sweep(uint64_t seed, uint64_t every, sweep_run *run);
