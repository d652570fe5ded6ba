// The bucket starts with enough for the calls that a dying replica drops before any were earned, and
// holds enough for the calls in flight at one replica.

#include "lib/rpc/budget.h"

enum {
    TOKEN = 1000,
    EARNED = TOKEN / 10,
    AT_START = 100 * TOKEN,
    AT_MOST = 1000 * TOKEN,
};

void retry_budget_init(struct retry_budget *budget)
{
    budget->thousandths = AT_START;
}

void retry_budget_earn(struct retry_budget *budget)
{
    budget->thousandths += EARNED;
    if (budget->thousandths > AT_MOST)
        budget->thousandths = AT_MOST;
}

bool retry_budget_spend(struct retry_budget *budget)
{
    if (budget->thousandths < TOKEN)
        return false;
    budget->thousandths -= TOKEN;
    return true;
}
