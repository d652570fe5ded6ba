#pragma once
// Won, in int64_t, with checked arithmetic (SPEC 3). No fractions, no other currency.

#include <stdbool.h>
#include <stdint.h>

// Writes a + b to *sum and returns true; returns false and writes nothing on overflow.
bool money_add(int64_t a_won, int64_t b_won, int64_t *sum_won);

// Writes price * quantity to *total and returns true; false on overflow.
bool money_multiply(int64_t price_won, int64_t quantity, int64_t *total_won);

// floor(amount * basis_points / 10,000) without overflow, for amount >= 0 and
// 0 <= basis_points <= 10,000: the percent of SPEC 5 with two decimals.
int64_t money_percent(int64_t amount_won, int64_t basis_points);
