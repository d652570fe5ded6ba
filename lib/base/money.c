// Checked arithmetic on won. An amount that does not fit is refused by the caller, never wrapped.

#include "lib/base/money.h"

#include <assert.h>

static const int64_t basis = 10000; // basis points in a whole: percent with two decimals

bool money_add(int64_t a_won, int64_t b_won, int64_t *sum_won)
{
    int64_t sum;
    if (__builtin_add_overflow(a_won, b_won, &sum))
        return false;
    *sum_won = sum;
    return true;
}

bool money_multiply(int64_t price_won, int64_t quantity, int64_t *total_won)
{
    int64_t total;
    if (__builtin_mul_overflow(price_won, quantity, &total))
        return false;
    *total_won = total;
    return true;
}

// Whole units and rest apart: (q * basis + r) * p / basis = q * p + r * p / basis, and q * p never
// exceeds the amount.
int64_t money_percent(int64_t amount_won, int64_t basis_points)
{
    assert(amount_won >= 0);
    assert(basis_points >= 0 && basis_points <= basis);
    return amount_won / basis * basis_points + amount_won % basis * basis_points / basis;
}
