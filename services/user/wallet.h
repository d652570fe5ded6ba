#pragma once
// The rules of the won wallet (SPEC 3), pure: what may change a balance, and by how much.

#include "lib/base/status.h"

#include <stdint.h>

enum entry_type { ENTRY_CHARGE = 1, ENTRY_USE = 2, ENTRY_REFUND = 3, ENTRY_ADJUST = 4 };
#define ENTRY_TYPES 5 // one more than the last

// A user's money. `version` counts the changes so far.
struct wallet {
    int64_t user_id;
    int64_t balance_won;
    int64_t version;
    int64_t updated_at_us;
};

// One change of one wallet: a row that is written once and never touched again.
struct entry {
    int64_t id;
    int64_t user_id;
    int64_t number; // 1 for the first change of the wallet
    enum entry_type type;
    int64_t amount_won; // signed
    int64_t before_won;
    int64_t after_won;
    int64_t ref_id; // the order of a USE or REFUND; 0 for none
    const char *note;
    int64_t created_at_us;
};

// Changes the balance by the signed amount and fills in what the wallet knows of the entry: user,
// number, type, amount, before, after. A refusal changes nothing: VALIDATION_ERROR on "amount",
// INSUFFICIENT_BALANCE.
struct status wallet_apply(struct wallet *wallet, enum entry_type type, int64_t amount_won,
                           struct entry *entry);

// "CHARGE" for ENTRY_CHARGE; the type with that name, or 0 when there is none.
const char *entry_type_name(enum entry_type type);
enum entry_type entry_type_parse(const char *name);
