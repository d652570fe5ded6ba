// The calls that read and change wallets.
//
// The four that change one differ in two functions only: what they want, and how the ledger does it.
// The wallets of a batch are loaded without a lock, all calls are applied in memory, and everything is
// written back at once, unless a wallet has moved on meanwhile; then once more, now under the locks
// that the first try took.

#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/saga/barrier.h"
#include "proto/user.pb-c.h"
#include "services/user/service.h"
#include "services/user/store.h"
#include "services/user/wire.h"

enum { NOTE_MAX = 200, TRIES = 2 };

// What one kind of call does to the ledger.
struct movement {
    struct change (*read)(const struct call *call);
    struct status (*apply)(struct ledger *ledger, const struct change *change, struct arena *arena,
                           const ProtobufCMessage **reply);
};

static struct status load_ledger(struct batch *batch, const struct movement *movement,
                                 struct ledger *ledger)
{
    const struct user_service *service = batch->service;
    int64_t *users = arena_array(batch->arena, batch->count, sizeof(*users));
    int64_t *orders = arena_array(batch->arena, batch->count, sizeof(*orders));
    int64_t *sequence = arena_array(batch->arena, batch->count, sizeof(*sequence));
    size_t count = 0;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct change change = movement->read(call);
        users[count] = change.user_id;
        orders[count++] = change.order_id;
    }
    struct status st = ids_take(service->history_ids, batch->tx, count, sequence);
    if (failed(st))
        return st;
    *ledger = (struct ledger){
        .now_us = batch->now_us,
        .sequence = sequence,
        .entries = arena_array(batch->arena, count, sizeof(*ledger->entries)),
    };
    return store_load_ledger(batch->tx, batch->arena, users, orders, count, ledger);
}

// The outcome of a call, kept aside until the ledger is saved.
struct outcome {
    struct status status;
    const ProtobufCMessage *reply;
};

static void apply_all(struct batch *batch, const struct movement *movement, struct ledger *ledger,
                      struct outcome *outcomes)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct change change = movement->read(call);
        change.again = barrier_may_forget(call, batch->now_us);
        outcomes[i].status = movement->apply(ledger, &change, batch->arena, &outcomes[i].reply);
    }
}

static void settle_all(struct batch *batch, const struct outcome *outcomes)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        if (failed(outcomes[i].status))
            call_refuse(call, outcomes[i].status);
        else
            call_reply(call, outcomes[i].reply);
    }
}

// The second try finds the wallets locked by the first, so it is the last: however many change one
// wallet at once, each is behind at most once.
static struct status move(struct batch *batch, const struct movement *movement)
{
    const struct user_service *service = batch->service;
    struct outcome *outcomes = arena_array(batch->arena, batch->count, sizeof(*outcomes));
    bool saved = false;
    for (int try = 0; !saved && try < TRIES; try++) {
        struct ledger ledger;
        struct status st = load_ledger(batch, movement, &ledger);
        if (failed(st))
            return st;
        apply_all(batch, movement, &ledger, outcomes);
        st = store_save_ledger(batch->tx, batch->arena, &ledger, &saved);
        if (failed(st))
            return st;
        if (!saved)
            metric_add(service->wallet_conflicts, 1);
    }
    if (!saved)
        return refuse(REASON_CONFLICT, "a wallet has changed meanwhile");
    settle_all(batch, outcomes);
    return OK;
}

static struct change read_charge(const struct call *call)
{
    const Baro__User__ChargeRequest *request = (const void *)call->request;
    return (struct change){.user_id = call->caller.user_id, .amount_won = request->amount};
}

static struct status apply_charge(struct ledger *ledger, const struct change *change,
                                  struct arena *arena, const ProtobufCMessage **reply)
{
    const struct entry *entry;
    struct status st = ledger_add(ledger, ENTRY_CHARGE, change, &entry);
    if (!failed(st))
        *reply = wire_wallet_change(entry, arena);
    return st;
}

static struct change read_adjustment(const struct call *call)
{
    const Baro__User__AdjustBalanceRequest *request = (const void *)call->request;
    return (struct change){.user_id = request->user_id,
                           .amount_won = request->amount,
                           .note = text_trim(call->arena, request->note)};
}

static struct status apply_adjustment(struct ledger *ledger, const struct change *change,
                                      struct arena *arena, const ProtobufCMessage **reply)
{
    const struct entry *entry;
    if (text_length_utf8(change->note) > NOTE_MAX)
        return invalid("note", "a note has at most 200 characters");
    struct status st = ledger_add(ledger, ENTRY_ADJUST, change, &entry);
    if (!failed(st))
        *reply = wire_wallet_change(entry, arena);
    return st;
}

static struct change read_debit(const struct call *call)
{
    const Baro__User__DebitWalletRequest *request = (const void *)call->request;
    return (struct change){
        .user_id = request->user_id, .order_id = request->order_id, .amount_won = request->amount};
}

static struct status apply_debit(struct ledger *ledger, const struct change *change,
                                 struct arena *arena, const ProtobufCMessage **reply)
{
    struct status st = ledger_debit(ledger, change);
    if (!failed(st))
        *reply = wire_wallet_moved(ledger_wallet(ledger, change->user_id)->balance_won,
                                   change->amount_won, arena);
    return st;
}

static struct change read_refund(const struct call *call)
{
    const Baro__User__RefundWalletRequest *request = (const void *)call->request;
    return (struct change){.user_id = request->user_id, .order_id = request->order_id};
}

static struct status apply_refund(struct ledger *ledger, const struct change *change,
                                  struct arena *arena, const ProtobufCMessage **reply)
{
    int64_t returned_won;
    struct status st = ledger_refund(ledger, change, &returned_won);
    if (failed(st))
        return st;
    const struct wallet *wallet = ledger_wallet(ledger, change->user_id);
    *reply = wire_wallet_moved(wallet ? wallet->balance_won : 0, returned_won, arena);
    return OK;
}

static const struct movement CHARGE = {read_charge, apply_charge};
static const struct movement ADJUSTMENT = {read_adjustment, apply_adjustment};
static const struct movement DEBIT = {read_debit, apply_debit};
static const struct movement REFUND = {read_refund, apply_refund};

struct status handle_charge(struct batch *batch)
{
    return move(batch, &CHARGE);
}

struct status handle_adjust_balance(struct batch *batch)
{
    return move(batch, &ADJUSTMENT);
}

struct status handle_debit_wallet(struct batch *batch)
{
    return move(batch, &DEBIT);
}

struct status handle_refund_wallet(struct batch *batch)
{
    return move(batch, &REFUND);
}

struct status handle_get_balance(struct batch *batch)
{
    struct ledger ledger = {0};
    int64_t *users = arena_array(batch->arena, batch->count, sizeof(*users));
    size_t count = 0;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        users[count++] = call->caller.user_id;
    struct status st = store_load_wallets(batch->tx, batch->arena, users, count, &ledger.wallets,
                                          &ledger.wallet_count);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++) {
        const struct wallet *wallet = ledger_wallet(&ledger, call->caller.user_id);
        if (wallet)
            call_reply(call, wire_balance(wallet, batch->arena));
        else
            call_refuse(call, refuse(REASON_USER_NOT_FOUND, "there is no such user"));
    }
    return st;
}

struct status handle_list_history(struct batch *batch)
{
    struct history_query *queries = arena_array(batch->arena, batch->count, sizeof(*queries));
    struct history *pages = arena_array(batch->arena, batch->count, sizeof(*pages));
    size_t count = 0;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status st = wire_history_query((const void *)call->request, call->caller.user_id,
                                              batch->arena, &queries[count]);
        if (failed(st))
            call_refuse(call, st);
        else
            count++;
    }
    if (count == 0)
        return OK;
    struct status st = store_list_history(batch->tx, batch->arena, queries, count, pages);
    size_t next = 0;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++, next++)
        call_reply(call,
                   wire_history_page(&pages[next], (size_t)queries[next].limit - 1, batch->arena));
    return st;
}
