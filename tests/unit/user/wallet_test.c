// The rules of SPEC 3, at both sides of each boundary.

#include "services/user/wallet.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>

struct row {
    enum entry_type type;
    int64_t balance, amount;
    enum reason reason;
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
        {ENTRY_CHARGE, 0, 999,       REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, 1000,      REASON_NONE            },
        {ENTRY_CHARGE, 0, 1001,      REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, 1005,      REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, 1010,      REASON_NONE            },
        {ENTRY_CHARGE, 0, 990,       REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, 99990,     REASON_NONE            },
        {ENTRY_CHARGE, 0, 100000,    REASON_NONE            },
        {ENTRY_CHARGE, 0, 100001,    REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, 100010,    REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, 0,         REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, -1000,     REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, INT64_MAX, REASON_VALIDATION_ERROR},
        {ENTRY_CHARGE, 0, INT64_MIN, REASON_VALIDATION_ERROR},
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, charges_only_up_to_ten_million)
{
    static const struct row ROWS[] = {
        {ENTRY_CHARGE, 9900000,   100000, REASON_NONE                  },
        {ENTRY_CHARGE, 9900010,   100000, REASON_BALANCE_LIMIT_EXCEEDED},
        {ENTRY_CHARGE, 9999000,   1000,   REASON_NONE                  },
        {ENTRY_CHARGE, 9999001,   1000,   REASON_BALANCE_LIMIT_EXCEEDED},
        {ENTRY_CHARGE, 10000000,  1000,   REASON_BALANCE_LIMIT_EXCEEDED},
        {ENTRY_CHARGE, 20000000,  1000,   REASON_BALANCE_LIMIT_EXCEEDED},
        {ENTRY_CHARGE, INT64_MAX, 1000,   REASON_VALIDATION_ERROR      },
        // More than a charge may be is a bad amount, whatever the balance.
        {ENTRY_CHARGE, 9900000,   100010, REASON_VALIDATION_ERROR      },
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, spends_to_zero_and_not_below)
{
    static const struct row ROWS[] = {
        {ENTRY_USE, 1000, -1000,     REASON_NONE                },
        {ENTRY_USE, 1000, -1,        REASON_NONE                },
        {ENTRY_USE, 1000, -1001,     REASON_INSUFFICIENT_BALANCE},
        {ENTRY_USE, 0,    -1,        REASON_INSUFFICIENT_BALANCE},
        {ENTRY_USE, 1000, 0,         REASON_VALIDATION_ERROR    },
        {ENTRY_USE, 1000, 1,         REASON_VALIDATION_ERROR    },
        {ENTRY_USE, 1000, INT64_MIN, REASON_VALIDATION_ERROR    },
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, refunds_any_amount_even_above_the_cap)
{
    static const struct row ROWS[] = {
        {ENTRY_REFUND, 0,        1005,   REASON_NONE            },
        {ENTRY_REFUND, 0,        1,      REASON_NONE            },
        {ENTRY_REFUND, 0,        250000, REASON_NONE            },
        {ENTRY_REFUND, 9999999,  250000, REASON_NONE            },
        {ENTRY_REFUND, 10000000, 1,      REASON_NONE            },
        {ENTRY_REFUND, 0,        0,      REASON_VALIDATION_ERROR},
        {ENTRY_REFUND, 10,       -1,     REASON_VALIDATION_ERROR},
    };
    check(ROWS, COUNT(ROWS));
}

Test(wallet, adjusts_both_ways_beyond_charge_limits_but_not_below_zero)
{
    const int64_t exact = INT64_C(9007199254740991);
    const struct row rows[] = {
        {ENTRY_ADJUST, 0,         7,         REASON_NONE                  },
        {ENTRY_ADJUST, 0,         50000000,  REASON_NONE                  },
        {ENTRY_ADJUST, 10000000,  1,         REASON_NONE                  },
        {ENTRY_ADJUST, 1005,      -1005,     REASON_NONE                  },
        {ENTRY_ADJUST, 1005,      -1006,     REASON_INSUFFICIENT_BALANCE  },
        {ENTRY_ADJUST, 0,         0,         REASON_VALIDATION_ERROR      },
        {ENTRY_ADJUST, 0,         exact,     REASON_NONE                  },
        {ENTRY_ADJUST, 1,         exact,     REASON_BALANCE_LIMIT_EXCEEDED},
        {ENTRY_ADJUST, 0,         exact + 1, REASON_VALIDATION_ERROR      },
        {ENTRY_ADJUST, exact + 5, -1,        REASON_NONE                  },
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
