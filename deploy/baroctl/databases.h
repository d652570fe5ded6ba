#pragma once
// Where the databases of the services are.

#include "lib/base/arena.h"
#include "lib/base/status.h"

struct audit_urls {
    const char *user;
    const char *product;
    const char *order;
    const char *coupon;
};

// From the environment; VALIDATION_ERROR names what is missing.
struct status audit_urls_load(struct arena *arena, struct audit_urls *urls);
