// Every duration is kept: a run has some hundred thousand, and exact quantiles need no explanation.

#include "tests/bench/samples.h"

#include "lib/base/clock.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 65536 };

void samples_add(struct samples *samples, int64_t us)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity ? 2 * samples->capacity : FIRST_CAPACITY;
        samples->us = realloc(samples->us, samples->capacity * sizeof(*samples->us));
        assert(samples->us);
    }
    samples->us[samples->count++] = us;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

void samples_sort(struct samples *samples)
{
    if (samples->count)
        qsort(samples->us, samples->count, sizeof(*samples->us), compare);
}

double samples_quantile_ms(const struct samples *samples, double q)
{
    if (samples->count == 0)
        return 0;
    size_t rank = (size_t)ceil(q * (double)samples->count);
    return (double)samples->us[rank ? rank - 1 : 0] / (double)US_PER_MS;
}

void samples_fini(struct samples *samples)
{
    free(samples->us);
    *samples = (struct samples){.us = NULL};
}
