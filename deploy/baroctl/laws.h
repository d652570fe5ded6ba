#pragma once
// The conservation laws of SPEC 8 and what breaks them.

#include "lib/db/db.h"

enum law { LAW_WALLET, LAW_STOCK, LAW_COUPON, LAW_ORDER, LAW_SAGA, LAW_COUNT };

const char *law_name(enum law law);

// The databases that an audit reads.
struct audit_urls {
    const char *user;
    const char *product;
    const char *order;
    const char *coupon;
};

// From the environment; VALIDATION_ERROR names what is missing.
struct status audit_urls_load(struct arena *arena, struct audit_urls *urls);

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

bool report_is_clean(const struct report *report);

// Laws that one database shows by itself: 1 to 3 and 5.
struct status audit_balances(const struct audit_urls *urls, struct report *report);

// Law 4, and the part of law 3 that needs the orders: walks orders, payments, holds, wallet entries and
// coupons side by side in the order of their order ids.
struct status audit_orders(const struct audit_urls *urls, struct report *report);
