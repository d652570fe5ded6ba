// Counts all, keeps few.

#include "lib/laws/report.h"

#include "lib/base/text.h"

#include <string.h>

static const char *const NAMES[LAW_COUNT] = {
    [LAW_WALLET] = "wallet", [LAW_STOCK] = "stock", [LAW_COUPON] = "coupon",
    [LAW_ORDER] = "order",   [LAW_SAGA] = "saga",
};

const char *law_name(enum law law)
{
    return NAMES[law];
}

enum law law_parse(const char *name)
{
    size_t law = 0;
    while (law < LAW_COUNT && strcmp(NAMES[law], name) != 0)
        law++;
    return (enum law)law;
}

void report_violation(struct report *report, enum law law, const char *format, ...)
{
    struct finding *finding = &report->laws[law];
    va_list args;

    if (finding->violations++ >= SAMPLE_MAX)
        return;
    va_start(args, format);
    finding->sample[finding->sample_count++] = text_vprintf(report->arena, format, args);
    va_end(args);
}

void report_add(struct report *report, enum law law, int64_t violations, char *const *sample,
                size_t sample_count)
{
    struct finding *finding = &report->laws[law];
    finding->violations += violations;
    for (size_t i = 0; i < sample_count && finding->sample_count < SAMPLE_MAX; i++)
        finding->sample[finding->sample_count++] = text_copy(report->arena, sample[i]);
}

int64_t report_violations(const struct report *report)
{
    int64_t sum = 0;
    for (size_t i = 0; i < LAW_COUNT; i++)
        sum += report->laws[i].violations;
    return sum;
}

bool report_is_clean(const struct report *report)
{
    return report_violations(report) == 0;
}
