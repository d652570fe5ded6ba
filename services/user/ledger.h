#pragma once
// The wallets that one batch changes, as an image in memory: loaded before, written back after, and
// in between pure. Entries are applied one by one in arrival order (DESIGN 4).

#include "lib/base/arena.h"
#include "services/user/wallet.h"

#include <stddef.h>

// What an order moved before: its USE or its REFUND.
struct order_entry {
    int64_t order_id;
    enum entry_type type;
    int64_t user_id;
    int64_t amount_won; // signed
};

// What a call wants done to a wallet.
struct change {
    int64_t user_id;
    int64_t order_id; // 0: none
    int64_t amount_won;
    const char *note;
    bool again; // the order's own entry may be there from before, and nobody remembers
};

struct ledger {
    int64_t now_us;
    const int64_t *sequence;  // one number for each entry that may be added
    struct wallet *wallets;   // ascending by user
    int64_t *loaded_versions; // of each wallet, when it was loaded
    size_t wallet_count;
    struct order_entry *moved; // what the orders of the batch moved before the batch
    size_t moved_count;
    struct entry *entries; // room for one each call
    size_t entry_count;
};

// The wallet of a user; NULL if there is none.
struct wallet *ledger_wallet(const struct ledger *ledger, int64_t user_id);

// Adds an entry of CHARGE or ADJUST. USER_NOT_FOUND, or what wallet_apply refuses.
struct status ledger_add(struct ledger *ledger, enum entry_type type, const struct change *change,
                         const struct entry **entry);

// Takes change->amount_won (positive) for an order, once: ORDER_ALREADY_PAID the second time, but OK for
// a change that may come again and finds just what it wants, not given back.
struct status ledger_debit(struct ledger *ledger, const struct change *change);

// Gives back what the order took, once; *returned_won is what has been given back, now or before: 0
// when nothing was taken. Never refused for a business reason.
struct status ledger_refund(struct ledger *ledger, const struct change *change,
                            int64_t *returned_won);
