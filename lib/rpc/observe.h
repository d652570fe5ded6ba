#pragma once
// The metrics of this process as a message: what Health.Observe answers.

#include "lib/base/arena.h"
#include "proto/common.pb-c.h"

// Makes it in the arena; histograms that have observed nothing are left out. `instance` is borrowed;
// `process` stays empty: who gathers knows whom he asked.
Baro__Observation *observe(const char *instance, struct arena *arena);
