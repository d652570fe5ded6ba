#include "lib/rpc/budget.h"

#include <criterion/criterion.h>

static int spend_all(struct retry_budget *budget)
{
    int spent = 0;
    while (retry_budget_spend(budget))
        spent++;
    return spent;
}

Test(retry_budget, allows_one_retry_for_ten_calls)
{
    struct retry_budget budget;
    retry_budget_init(&budget);
    cr_expect_eq(spend_all(&budget), 100, "what it starts with");
    for (int i = 0; i < 250; i++)
        retry_budget_earn(&budget);
    cr_expect_eq(spend_all(&budget), 25);
}

Test(retry_budget, saves_up_only_so_much)
{
    struct retry_budget budget;
    retry_budget_init(&budget);
    for (int i = 0; i < 1000 * 1000; i++)
        retry_budget_earn(&budget);
    cr_expect_eq(spend_all(&budget), 1000);
}
