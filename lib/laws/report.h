#pragma once
// The conservation laws of SPEC 8, and what was found broken of them.

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum law { LAW_WALLET, LAW_STOCK, LAW_COUPON, LAW_ORDER, LAW_SAGA, LAW_COUNT };

const char *law_name(enum law law); // "wallet"

// LAW_COUNT for a word that names none.
enum law law_parse(const char *name);

enum { SAMPLE_MAX = 10 };

// What was found of one law: the number of violations and the first few, as sentences.
struct finding {
    int64_t violations;
    size_t sample_count;
    const char *sample[SAMPLE_MAX];
};

struct report {
    struct arena *arena;
    struct finding laws[LAW_COUNT];
    int64_t under_way; // orders with an open saga: neither right nor wrong yet
};

void report_violation(struct report *report, enum law law, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Adds what somebody else has counted, and its sentences as far as there is room.
void report_add(struct report *report, enum law law, int64_t violations, char *const *sample,
                size_t sample_count);

// Number of violations of all laws.
int64_t report_violations(const struct report *report);
bool report_is_clean(const struct report *report);
