#pragma once
// A token bucket for retries: when everything fails, retries add a tenth to the load and no more.

#include <stdbool.h>
#include <stdint.h>

struct retry_budget {
    int64_t thousandths; // of a token
};

void retry_budget_init(struct retry_budget *budget);

// A first try earns a tenth of a token.
void retry_budget_earn(struct retry_budget *budget);

// A retry costs a token; false when there is none.
bool retry_budget_spend(struct retry_budget *budget);
