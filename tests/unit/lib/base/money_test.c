#include "lib/base/macros.h"
#include "lib/base/money.h"

#include <criterion/criterion.h>

__extension__ typedef __int128 wide;

Test(money, adds_unless_the_sum_overflows)
{
    int64_t sum = 7;
    cr_assert(money_add(1000, -300, &sum));
    cr_assert_eq(sum, 700);
    cr_assert(money_add(INT64_MAX - 1, 1, &sum));
    cr_assert_eq(sum, INT64_MAX);
    sum = 7;
    cr_assert_not(money_add(INT64_MAX, 1, &sum));
    cr_assert_not(money_add(INT64_MIN, -1, &sum));
    cr_assert_eq(sum, 7, "written although it overflowed");
}

Test(money, multiplies_unless_the_product_overflows)
{
    int64_t total = 7;
    cr_assert(money_multiply(10000000, 30, &total));
    cr_assert_eq(total, 300000000);
    total = 7;
    cr_assert_not(money_multiply(INT64_MAX / 2 + 1, 2, &total));
    cr_assert_not(money_multiply(INT64_MIN, -1, &total));
    cr_assert_eq(total, 7, "written although it overflowed");
}

Test(money, takes_percents_rounded_down)
{
    static const struct {
        int64_t amount_won, basis_points, discount_won;
    } rows[] = {
        {1235,      1000,  123     }, // SPEC 5: 10 % of 1,235 leaves 1,112
        {1235,      10000, 1235    },
        {1235,      0,     0       },
        {0,         5000,  0       },
        {9999,      1,     0       },
        {10000,     1,     1       },
        {19999,     1,     1       },
        {100,       1250,  12      },
        {333,       3333,  110     },
        {300000000, 3333,  99990000},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert_eq(money_percent(rows[i].amount_won, rows[i].basis_points), rows[i].discount_won,
                     "row %zu: %lld", i,
                     (long long)money_percent(rows[i].amount_won, rows[i].basis_points));
}

Test(money, takes_percents_of_the_largest_amounts_exactly)
{
    static const int64_t points[] = {0, 1, 3333, 9999, 10000};
    for (size_t i = 0; i < COUNT(points); i++)
        for (int64_t below = 0; below < 20000; below += 777) {
            int64_t amount = INT64_MAX - below;
            wide exact = (wide)amount * points[i] / 10000;
            cr_assert_eq(money_percent(amount, points[i]), (int64_t)exact);
        }
}
