// The statements of services/user/store_wallet.c.

#include "tests/simulate/sql.h"
#include "tests/simulate/world.h"

static sqlstate nothing(struct query *query)
{
    (void)query;
    return NULL;
}

static sqlstate load_wallets(struct query *query)
{
    size_t count;
    const int64_t *users = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = table_find(&query->tables->wallet, &users[i]);
        const struct wallet_version *wallet = row ? row_seen(row, query->tx) : NULL;
        if (!wallet)
            continue;
        struct cell *cells = q_emit(query, 4);
        cells[0] = c_number(wallet->user_id);
        cells[1] = c_number(wallet->balance);
        cells[2] = c_number(wallet->version);
        cells[3] = c_number(wallet->updated_at);
    }
    return NULL;
}

static sqlstate load_moved(struct query *query)
{
    size_t count;
    const int64_t *orders = q_sorted(query, 1, &count);
    struct table *table = &query->tables->moved;
    for (size_t i = 0; i < count; i++)
        for (struct row *row = table_group(table, orders[i]); row; row = row->next_of_group) {
            const struct moved_version *moved = row_seen(row, query->tx);
            if (!moved || moved->order_id != orders[i])
                continue;
            struct cell *cells = q_emit(query, 4);
            cells[0] = c_number(moved->order_id);
            cells[1] = c_text(moved->type);
            cells[2] = c_number(moved->user_id);
            cells[3] = c_number(moved->amount);
        }
    return NULL;
}

// Locks the wallets in the order of the users; *good: none has moved on since it was loaded.
static sqlstate lock_wallets(struct query *query, bool *good)
{
    *good = true;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t user = q_numbers(query, 1, i);
        struct row *row = table_find(&query->tables->wallet, &user);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        const struct wallet_version *wallet = version;
        *good &= wallet->version == q_numbers(query, 4, i);
    }
    return NULL;
}

static sqlstate save_wallets(struct query *query)
{
    struct table *table = &query->tables->wallet;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t user = q_numbers(query, 1, i);
        if (q_numbers(query, 3, i) == q_numbers(query, 4, i))
            continue;
        struct wallet_version *wallet = row_change(query->tx, table, table_find(table, &user));
        wallet->balance = q_numbers(query, 2, i);
        wallet->version = q_numbers(query, 3, i);
        wallet->updated_at = q_number(query, 14);
        if (wallet->balance < 0)
            return "23514";
    }
    return NULL;
}

static sqlstate add_entry(struct query *query, size_t i)
{
    struct entry_version entry = {
        .id = q_numbers(query, 5, i),
        .user_id = q_numbers(query, 6, i),
        .number = q_numbers(query, 7, i),
        .amount = q_numbers(query, 8, i),
        .before = q_numbers(query, 9, i),
        .after = q_numbers(query, 10, i),
        .ref_id = q_numbers(query, 11, i),
        .type = q_texts(query, 12, i),
    };
    struct moved_version moved = {
        .order_id = entry.ref_id, .user_id = entry.user_id, .amount = entry.amount};
    if (entry.before + entry.amount != entry.after)
        return "23514";
    sqlstate state = table_insert(query->tx, &query->tables->entry, &entry);
    if (state || !entry.ref_id)
        return state;
    copy_key(moved.type, sizeof(moved.type), entry.type);
    return table_insert(query->tx, &query->tables->moved, &moved);
}

static sqlstate save_ledger(struct query *query)
{
    bool good;
    sqlstate state = lock_wallets(query, &good);
    if (!state && good)
        state = save_wallets(query);
    for (size_t i = 0; i < q_count(query, 5) && !state && good; i++)
        state = add_entry(query, i);
    if (!state)
        q_emit(query, 1)[0] = c_number(good);
    return state;
}

static const struct sql ROWS[] = {
    {"user_load_wallets",    0x3fb4e1ae, load_wallets},
    {"user_load_moved",      0x6a98ad82, load_moved  },
    {"user_save_ledger",     0x0551fd39, save_ledger },
    {"user_prune_sessions",  0x40043e0d, nothing     },
    {"user_make_partitions", 0x36c88f1a, nothing     },
};

const struct sql_list sql_user = {ROWS, COUNT(ROWS)};
