// The rules of SPEC 3, at both sides of each boundary.

#include "services/user/wallet.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>

struct row {
    enum entry_type type;
    enum reason reason;
    int64_t balance, amount;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct wallet wallet = {.user_id = 7, .balance_won = rows[i].balance, .version = 3};
        struct entry entry = {0};
        struct status st = wallet_apply(&wallet, rows[i].type, rows[i].amount, &entry);
        cr_assert_eq(st.reason, rows[i].reason, "row %zu: %s", i, reason_word(st.reason));
        if (failed(st)) {
            cr_assert_eq(wallet.balance_won, rows[i].balance, "row %zu", i);
            cr_assert_eq(wallet.version, 3, "row %zu", i);
            continue;
        }
        cr_assert_eq(wallet.balance_won, rows[i].balance + rows[i].amount, "row %zu", i);
        cr_assert_eq(wallet.version, 4, "row %zu", i);
    }
}

Test(wallet, charges_from_1000_to_100000_in_steps_of_10)
{
    static const struct row ROWS[] = {
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, 999      },
        {ENTRY_CHARGE, REASON_NONE,             0, 1000     },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, 1001     },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, 1005     },
        {ENTRY_CHARGE, REASON_NONE,             0, 1010     },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, 990      },
        {ENTRY_CHARGE, REASON_NONE,             0, 99990    },
        {ENTRY_CHARGE, REASON_NONE,             0, 100000   },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, 100001   },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, 100010   },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, 0        },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, -1000    },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, INT64_MAX},
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 0, INT64_MIN},
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, charges_only_up_to_ten_million)
{
    static const struct row ROWS[] = {
        {ENTRY_CHARGE, REASON_NONE,             9900000,   100000},
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 9900010,   100000},
        {ENTRY_CHARGE, REASON_NONE,             9999000,   1000  },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 9999001,   1000  },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 10000000,  1000  },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 20000000,  1000  },
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, INT64_MAX, 1000  },
        // More than a charge may be is a bad amount, whatever the balance.
        {ENTRY_CHARGE, REASON_VALIDATION_ERROR, 9900000,   100010},
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, spends_to_zero_and_not_below)
{
    static const struct row ROWS[] = {
        {ENTRY_USE, REASON_NONE,                 1000, -1000    },
        {ENTRY_USE, REASON_NONE,                 1000, -1       },
        {ENTRY_USE, REASON_INSUFFICIENT_BALANCE, 1000, -1001    },
        {ENTRY_USE, REASON_INSUFFICIENT_BALANCE, 0,    -1       },
        {ENTRY_USE, REASON_VALIDATION_ERROR,     1000, 0        },
        {ENTRY_USE, REASON_VALIDATION_ERROR,     1000, 1        },
        {ENTRY_USE, REASON_VALIDATION_ERROR,     1000, INT64_MIN},
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, refunds_any_amount_even_above_the_cap)
{
    static const struct row ROWS[] = {
        {ENTRY_REFUND, REASON_NONE,             0,        1005  },
        {ENTRY_REFUND, REASON_NONE,             0,        1     },
        {ENTRY_REFUND, REASON_NONE,             0,        250000},
        {ENTRY_REFUND, REASON_NONE,             9999999,  250000},
        {ENTRY_REFUND, REASON_NONE,             10000000, 1     },
        {ENTRY_REFUND, REASON_VALIDATION_ERROR, 0,        0     },
        {ENTRY_REFUND, REASON_VALIDATION_ERROR, 10,       -1    },
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, adjusts_both_ways_beyond_charge_limits_but_not_below_zero)
{
    const int64_t exact = INT64_C(9007199254740991);
    const struct row rows[] = {
        {ENTRY_ADJUST, REASON_NONE,                 0,         7        },
        {ENTRY_ADJUST, REASON_NONE,                 0,         50000000 },
        {ENTRY_ADJUST, REASON_NONE,                 10000000,  1        },
        {ENTRY_ADJUST, REASON_NONE,                 1005,      -1005    },
        {ENTRY_ADJUST, REASON_INSUFFICIENT_BALANCE, 1005,      -1006    },
        {ENTRY_ADJUST, REASON_VALIDATION_ERROR,     0,         0        },
        {ENTRY_ADJUST, REASON_NONE,                 0,         exact    },
        {ENTRY_ADJUST, REASON_VALIDATION_ERROR,     1,         exact    },
        {ENTRY_ADJUST, REASON_VALIDATION_ERROR,     0,         exact + 1},
        {ENTRY_ADJUST, REASON_NONE,                 exact + 5, -1       },
    };
    check(rows, COUNT(rows));
}

Test(wallet, fills_in_the_entry)
{
    struct wallet wallet = {.user_id = 7, .balance_won = 500, .version = 11};
    struct entry entry = {0};
    cr_assert(!failed(wallet_apply(&wallet, ENTRY_USE, -120, &entry)));
    cr_assert_eq(entry.user_id, 7);
    cr_assert_eq(entry.number, 12);
    cr_assert_eq(entry.type, ENTRY_USE);
    cr_assert_eq(entry.amount_won, -120);
    cr_assert_eq(entry.before_won, 500);
    cr_assert_eq(entry.after_won, 380);
}

Test(wallet, names_each_type_and_reads_it_back)
{
    for (int type = ENTRY_CHARGE; type < ENTRY_TYPES; type++)
        cr_assert_eq(entry_type_parse(entry_type_name((enum entry_type)type)),
                     (enum entry_type)type);
    cr_assert_eq(entry_type_parse("charge"), 0);
}
