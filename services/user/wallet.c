// Each type of entry is a row of limits; one function applies any of them.
//
// Invariant: before + amount = after, after >= 0, and the version grows by one with each entry, so
// that a wallet's entries are numbered 1..version without gaps.

#include "services/user/wallet.h"

#include "lib/base/macros.h"
#include "lib/base/money.h"

#include <assert.h>
#include <string.h>

// Whole numbers up to here are exact in everybody's JSON; only an admin could get there.
static const int64_t LARGEST_EXACT_WON = (INT64_C(1) << 53) - 1;

#define CHARGE_LIMITS "a charge is 1,000 to 100,000 won, in steps of 10"
#define CHARGE_CAP "the balance would be above 10,000,000 won"
#define ADJUST_LIMITS "an adjustment is a whole number of won, not 0"
#define ADJUST_CAP "the balance would be above what is exact in JSON"

// clang-format off
static const struct entry_rule {
    const char *name;
    int64_t min_won, max_won, unit_won; // of the signed amount
    int64_t balance_max_won;            // what a growing balance may reach
    const char *limits;                 // said to people
    const char *balance_limit;
} RULES[ENTRY_TYPES] = {
    [ENTRY_CHARGE] = {"CHARGE", 1000,               100000,            10, 10000000,          CHARGE_LIMITS,           CHARGE_CAP},
    [ENTRY_USE]    = {"USE",    -LARGEST_EXACT_WON, -1,                1,  0,                 "a payment takes money", NULL},
    [ENTRY_REFUND] = {"REFUND", 1,                  LARGEST_EXACT_WON, 1,  INT64_MAX,         "a refund gives money",  NULL},
    [ENTRY_ADJUST] = {"ADJUST", -LARGEST_EXACT_WON, LARGEST_EXACT_WON, 1,  LARGEST_EXACT_WON, ADJUST_LIMITS,           ADJUST_CAP},
};
// clang-format on

static const struct entry_rule *rule_of(enum entry_type type)
{
    assert(type >= ENTRY_CHARGE && type <= ENTRY_ADJUST);
    return &RULES[type];
}

static struct status check_amount(const struct entry_rule *rule, int64_t amount_won)
{
    bool inside = amount_won >= rule->min_won && amount_won <= rule->max_won;
    if (!inside || amount_won == 0 || amount_won % rule->unit_won != 0)
        return invalid("amount", rule->limits);
    return OK;
}

static struct status check_balance(const struct entry_rule *rule, int64_t before_won,
                                   int64_t after_won)
{
    if (after_won < 0)
        return refuse(REASON_INSUFFICIENT_BALANCE, "the balance is too low");
    if (after_won > before_won && after_won > rule->balance_max_won)
        return invalid("amount", rule->balance_limit);
    return OK;
}

struct status wallet_apply(struct wallet *wallet, enum entry_type type, int64_t amount_won,
                           struct entry *entry)
{
    const struct entry_rule *rule = rule_of(type);
    int64_t before = wallet->balance_won;
    int64_t after;
    struct status st = check_amount(rule, amount_won);

    if (failed(st))
        return st;
    if (!money_add(before, amount_won, &after))
        return invalid("amount", rule->limits);
    st = check_balance(rule, before, after);
    if (failed(st))
        return st;
    wallet->balance_won = after;
    wallet->version++;
    entry->user_id = wallet->user_id;
    entry->number = wallet->version;
    entry->type = type;
    entry->amount_won = amount_won;
    entry->before_won = before;
    entry->after_won = after;
    return OK;
}

const char *entry_type_name(enum entry_type type)
{
    return rule_of(type)->name;
}

enum entry_type entry_type_parse(const char *name)
{
    for (size_t type = ENTRY_CHARGE; type < COUNT(RULES); type++)
        if (strcmp(RULES[type].name, name) == 0)
            return (enum entry_type)type;
    return 0;
}
