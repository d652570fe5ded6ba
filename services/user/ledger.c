// The image of the wallets that a batch works on.
//
// Invariant: an order has at most one USE and one REFUND, of opposite amounts and of one user,
// counting those from before the batch and those of the batch itself.

#include "services/user/ledger.h"

#include "lib/base/timeid.h"

#include <stdlib.h>

static int compare_wallets(const void *a, const void *b)
{
    const struct wallet *left = a;
    const struct wallet *right = b;
    return (left->user_id > right->user_id) - (left->user_id < right->user_id);
}

struct wallet *ledger_wallet(const struct ledger *ledger, int64_t user_id)
{
    if (ledger->wallet_count == 0)
        return NULL;
    struct wallet key = {.user_id = user_id};
    return bsearch(&key, ledger->wallets, ledger->wallet_count, sizeof(key), compare_wallets);
}

static bool find_moved(const struct ledger *ledger, int64_t order_id, enum entry_type type,
                       struct order_entry *found)
{
    for (size_t i = 0; i < ledger->moved_count; i++) {
        const struct order_entry *moved = &ledger->moved[i];
        if (moved->order_id == order_id && moved->type == type) {
            *found = *moved;
            return true;
        }
    }
    for (size_t i = 0; i < ledger->entry_count; i++) {
        const struct entry *entry = &ledger->entries[i];
        if (entry->ref_id == order_id && entry->type == type) {
            *found = (struct order_entry){order_id, type, entry->user_id, entry->amount_won};
            return true;
        }
    }
    return false;
}

struct status ledger_add(struct ledger *ledger, enum entry_type type, const struct change *change,
                         const struct entry **entry)
{
    struct wallet *wallet = ledger_wallet(ledger, change->user_id);
    if (!wallet)
        return refuse(REASON_USER_NOT_FOUND, "there is no such user");

    struct entry *added = &ledger->entries[ledger->entry_count];
    struct status st = wallet_apply(wallet, type, change->amount_won, added);
    if (failed(st))
        return st;
    added->id = time_id(ledger->now_us, ledger->sequence[ledger->entry_count]);
    added->ref_id = change->order_id;
    added->note = change->note ? change->note : "";
    added->created_at_us = ledger->now_us;
    wallet->updated_at_us = ledger->now_us;
    ledger->entry_count++;
    *entry = added;
    return OK;
}

static bool was_done(const struct ledger *ledger, const struct change *change,
                     const struct order_entry *use)
{
    struct order_entry refund;
    return change->again && use->user_id == change->user_id &&
           use->amount_won == -change->amount_won &&
           !find_moved(ledger, change->order_id, ENTRY_REFUND, &refund);
}

struct status ledger_debit(struct ledger *ledger, const struct change *change)
{
    const struct entry *entry;
    struct order_entry use;
    if (change->order_id <= 0)
        return invalid("order_id", "which order is paid must be said");
    if (change->amount_won <= 0)
        return invalid("amount", "a payment takes more than 0 won");
    if (find_moved(ledger, change->order_id, ENTRY_USE, &use))
        return was_done(ledger, change, &use)
                   ? OK
                   : refuse(REASON_ORDER_ALREADY_PAID,
                            "this order has been paid from a wallet before");

    struct change taken = *change;
    taken.amount_won = -change->amount_won;
    return ledger_add(ledger, ENTRY_USE, &taken, &entry);
}

struct status ledger_refund(struct ledger *ledger, const struct change *change,
                            int64_t *returned_won)
{
    struct order_entry use, refund;
    if (!find_moved(ledger, change->order_id, ENTRY_USE, &use)) {
        *returned_won = 0;
        return OK;
    }
    // Only a bug asks for this; refused as a fault, it is parked where people see it.
    if (use.user_id != change->user_id)
        return refuse(REASON_INTERNAL, "the order was paid by another user");
    if (!find_moved(ledger, change->order_id, ENTRY_REFUND, &refund)) {
        struct change given = *change;
        const struct entry *entry;
        given.amount_won = -use.amount_won;
        struct status st = ledger_add(ledger, ENTRY_REFUND, &given, &entry);
        if (failed(st))
            return st;
    }
    *returned_won = -use.amount_won;
    return OK;
}
