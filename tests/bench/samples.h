#pragma once
// Durations of a run, and their quantiles.

#include <stddef.h>
#include <stdint.h>

struct samples {
    int64_t *us;
    size_t count, capacity;
};

void samples_add(struct samples *samples, int64_t us);

// Sorts; before samples_quantile_ms.
void samples_sort(struct samples *samples);

// The smallest duration, in ms, that `q` (0 to 1) of the samples do not exceed; 0 without samples.
double samples_quantile_ms(const struct samples *samples, double q);

void samples_fini(struct samples *samples);
