// The SQL of wallets and their history.
//
// Wallets are read without a lock and written with a check of their version, in one round trip with
// the rows that explain the change: if any wallet has moved on meanwhile, the batch is run again
// (SPEC 3). The locks of the write are taken in the order of the users.

#include "lib/base/text.h"
#include "lib/base/timeid.h"
#include "services/user/store.h"

enum { MONTHS_AHEAD = 2 };

static const struct statement LOAD_WALLETS = {
    "user_load_wallets", "SELECT user_id, balance, version, updated_at FROM wallet"
                         " WHERE user_id = ANY ($1::bigint[]) ORDER BY user_id"};

static void read_wallets(const struct rows *rows, struct arena *arena, struct wallet **wallets,
                         size_t *found)
{
    *wallets = arena_array(arena, rows->count, sizeof(**wallets));
    *found = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        (*wallets)[i] = (struct wallet){
            .user_id = rows_int64(rows, i, 0),
            .balance_won = rows_int64(rows, i, 1),
            .version = rows_int64(rows, i, 2),
            .updated_at_us = rows_int64(rows, i, 3),
        };
}

struct status store_load_wallets(struct db *db, struct arena *arena, const int64_t *user_ids,
                                 size_t count, struct wallet **wallets, size_t *found)
{
    struct rows rows;
    struct status st = db_query(db, &LOAD_WALLETS, PARAMS(p_int64s(user_ids, count)), &rows);
    if (!failed(st))
        read_wallets(&rows, arena, wallets, found);
    return st;
}

static const struct statement LOAD_MOVED = {
    "user_load_moved", "SELECT order_id, type, user_id, amount FROM wallet_order_entry"
                       " WHERE order_id = ANY ($1::bigint[])"};

static void read_moved(const struct rows *rows, struct arena *arena, struct ledger *ledger)
{
    ledger->moved = arena_array(arena, rows->count, sizeof(*ledger->moved));
    ledger->moved_count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        ledger->moved[i] = (struct order_entry){
            .order_id = rows_int64(rows, i, 0),
            .type = entry_type_parse(rows_text(rows, i, 1)),
            .user_id = rows_int64(rows, i, 2),
            .amount_won = rows_int64(rows, i, 3),
        };
}

struct status store_load_ledger(struct db *db, struct arena *arena, const int64_t *user_ids,
                                const int64_t *order_ids, size_t count, struct ledger *ledger)
{
    struct rows wallets, moved;
    struct status st =
        db_queue_query(db, &LOAD_WALLETS, PARAMS(p_int64s(user_ids, count)), &wallets);
    if (!failed(st))
        st = db_query(db, &LOAD_MOVED, PARAMS(p_int64s(order_ids, count)), &moved);
    if (failed(st))
        return st;
    read_wallets(&wallets, arena, &ledger->wallets, &ledger->wallet_count);
    ledger->loaded_versions = arena_array(arena, ledger->wallet_count, sizeof(int64_t));
    for (size_t i = 0; i < ledger->wallet_count; i++)
        ledger->loaded_versions[i] = ledger->wallets[i].version;
    read_moved(&moved, arena, ledger);
    return OK;
}

static const struct statement SAVE_WALLETS = {
    "user_save_wallets",
    "WITH locked AS ("
    "  SELECT user_id FROM wallet WHERE user_id = ANY ($1::bigint[]) ORDER BY user_id FOR UPDATE)"
    " UPDATE wallet w SET balance = n.balance, version = n.version,"
    "        updated_at = baro_time($5::bigint)"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])"
    "      AS n (user_id, balance, version, loaded) JOIN locked USING (user_id)"
    " WHERE w.user_id = n.user_id AND w.version = n.loaded"};

static const struct statement APPEND_HISTORY = {
    "user_append_history",
    "INSERT INTO wallet_history"
    "  (id, user_id, number, type, amount, before, after, ref_id, note, created_at)"
    " SELECT n.*, baro_time($10::bigint)"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[],"
    "             $6::bigint[], $7::bigint[], $8::bigint[], $9::text[]) AS n"};

static const struct statement APPEND_MOVED = {
    "user_append_moved",
    "INSERT INTO wallet_order_entry (order_id, type, user_id, amount)"
    " SELECT n.order_id, n.type, n.user_id, n.amount"
    " FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])"
    "      AS n (order_id, type, user_id, amount) ORDER BY n.order_id, n.type"};

// The entries of a ledger as one array a column.
struct columns {
    int64_t *ids, *users, *numbers, *amounts, *befores, *afters, *refs;
    const char **types, **notes;
};

static struct columns make_columns(struct arena *arena, const struct ledger *ledger)
{
    size_t count = ledger->entry_count;
    struct columns columns = {
        .ids = arena_array(arena, count, sizeof(int64_t)),
        .users = arena_array(arena, count, sizeof(int64_t)),
        .numbers = arena_array(arena, count, sizeof(int64_t)),
        .amounts = arena_array(arena, count, sizeof(int64_t)),
        .befores = arena_array(arena, count, sizeof(int64_t)),
        .afters = arena_array(arena, count, sizeof(int64_t)),
        .refs = arena_array(arena, count, sizeof(int64_t)),
        .types = arena_array(arena, count, sizeof(char *)),
        .notes = arena_array(arena, count, sizeof(char *)),
    };
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &ledger->entries[i];
        columns.ids[i] = entry->id;
        columns.users[i] = entry->user_id;
        columns.numbers[i] = entry->number;
        columns.amounts[i] = entry->amount_won;
        columns.befores[i] = entry->before_won;
        columns.afters[i] = entry->after_won;
        columns.refs[i] = entry->ref_id ? entry->ref_id : DB_NULL_INT64;
        columns.types[i] = entry_type_name(entry->type);
        columns.notes[i] = entry->note;
    }
    return columns;
}

static struct status append_history(struct db *db, struct arena *arena, const struct ledger *ledger)
{
    size_t count = ledger->entry_count;
    struct columns all = make_columns(arena, ledger);
    return db_queue(db, &APPEND_HISTORY,
                    PARAMS(p_int64s(all.ids, count), p_int64s(all.users, count),
                           p_int64s(all.numbers, count), p_texts(all.types, count),
                           p_int64s(all.amounts, count), p_int64s(all.befores, count),
                           p_int64s(all.afters, count), p_int64s(all.refs, count),
                           p_texts(all.notes, count), p_int64(ledger->now_us)));
}

static struct status append_moved(struct db *db, struct arena *arena, const struct ledger *ledger)
{
    int64_t *orders = arena_array(arena, ledger->entry_count, sizeof(*orders));
    int64_t *users = arena_array(arena, ledger->entry_count, sizeof(*users));
    int64_t *amounts = arena_array(arena, ledger->entry_count, sizeof(*amounts));
    const char **types = arena_array(arena, ledger->entry_count, sizeof(*types));
    size_t count = 0;
    for (size_t i = 0; i < ledger->entry_count; i++) {
        const struct entry *entry = &ledger->entries[i];
        if (entry->ref_id == 0)
            continue;
        orders[count] = entry->ref_id;
        users[count] = entry->user_id;
        amounts[count] = entry->amount_won;
        types[count++] = entry_type_name(entry->type);
    }
    if (count == 0)
        return OK;
    return db_queue(db, &APPEND_MOVED,
                    PARAMS(p_int64s(orders, count), p_texts(types, count), p_int64s(users, count),
                           p_int64s(amounts, count)));
}

// Queues the update of the wallets that have new entries; *changed is how many that are.
static struct status save_wallets(struct db *db, struct arena *arena, const struct ledger *ledger,
                                  struct rows *saved, size_t *changed)
{
    int64_t *users = arena_array(arena, ledger->wallet_count, sizeof(*users));
    int64_t *balances = arena_array(arena, ledger->wallet_count, sizeof(*balances));
    int64_t *versions = arena_array(arena, ledger->wallet_count, sizeof(*versions));
    int64_t *loaded = arena_array(arena, ledger->wallet_count, sizeof(*loaded));
    size_t count = 0;
    for (size_t i = 0; i < ledger->wallet_count; i++) {
        const struct wallet *wallet = &ledger->wallets[i];
        if (wallet->version == ledger->loaded_versions[i])
            continue;
        users[count] = wallet->user_id;
        balances[count] = wallet->balance_won;
        versions[count] = wallet->version;
        loaded[count++] = ledger->loaded_versions[i];
    }
    *changed = count;
    return db_queue_query(db, &SAVE_WALLETS,
                          PARAMS(p_int64s(users, count), p_int64s(balances, count),
                                 p_int64s(versions, count), p_int64s(loaded, count),
                                 p_int64(ledger->now_us)),
                          saved);
}

struct status store_save_ledger(struct db *db, struct arena *arena, const struct ledger *ledger)
{
    struct rows saved = {0};
    size_t changed;
    if (ledger->entry_count == 0)
        return OK;
    struct status st = save_wallets(db, arena, ledger, &saved, &changed);
    if (!failed(st))
        st = append_history(db, arena, ledger);
    if (!failed(st))
        st = append_moved(db, arena, ledger);
    if (!failed(st))
        st = db_flush(db);
    if (failed(st))
        return st;
    if (saved.affected != (int64_t)changed)
        return refuse(REASON_CONFLICT, "a wallet has changed meanwhile");
    return OK;
}

// created_at decides; the bounds of the id, which carries its second, find the months to look at.
static const struct statement LIST_HISTORY = {
    "user_list_history",
    "SELECT q.query, h.id, h.number, h.type, h.amount, h.before, h.after, h.ref_id, h.note,"
    "       h.created_at, q.user_id"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],"
    "             $6::text[], $7::bigint[], $8::bigint[], $9::bigint[]) WITH ORDINALITY"
    "      AS q (user_id, from_us, to_us, from_id, to_id, type, ref_id, below, size, query)"
    " CROSS JOIN LATERAL ("
    "   SELECT * FROM wallet_history w"
    "   WHERE w.user_id = q.user_id AND w.number < q.below"
    "     AND w.id >= q.from_id AND w.id <= q.to_id"
    "     AND (q.from_us IS NULL OR w.created_at >= baro_time(q.from_us))"
    "     AND (q.to_us IS NULL OR w.created_at < baro_time(q.to_us))"
    "     AND (q.type IS NULL OR w.type = q.type)"
    "     AND (q.ref_id IS NULL OR w.ref_id = q.ref_id)"
    "   ORDER BY w.number DESC LIMIT q.size) h"
    " ORDER BY q.query, h.number DESC"};

static struct entry read_entry(const struct rows *rows, size_t row, struct arena *arena)
{
    return (struct entry){
        .id = rows_int64(rows, row, 1),
        .number = rows_int64(rows, row, 2),
        .type = entry_type_parse(rows_text(rows, row, 3)),
        .amount_won = rows_int64(rows, row, 4),
        .before_won = rows_int64(rows, row, 5),
        .after_won = rows_int64(rows, row, 6),
        .ref_id = rows_int64(rows, row, 7),
        .note = text_copy(arena, rows_text(rows, row, 8)),
        .created_at_us = rows_int64(rows, row, 9),
        .user_id = rows_int64(rows, row, 10),
    };
}

static void read_pages(const struct rows *rows, struct arena *arena, struct history *pages,
                       size_t count)
{
    struct entry *entries = arena_array(arena, rows->count, sizeof(*entries));
    for (size_t i = 0; i < count; i++)
        pages[i] = (struct history){NULL, 0};
    for (size_t row = 0; row < rows->count; row++) {
        struct history *page = &pages[rows_int64(rows, row, 0) - 1];
        entries[row] = read_entry(rows, row, arena);
        if (page->count++ == 0)
            page->entries = &entries[row];
    }
}

// The highest id of the second that contains to_us.
static int64_t last_id_of(int64_t to_us)
{
    return time_id(to_us, -1);
}

struct status store_list_history(struct db *db, struct arena *arena,
                                 const struct history_query *queries, size_t count,
                                 struct history *pages)
{
    int64_t *numbers = arena_array(arena, 8 * count, sizeof(*numbers));
    int64_t *users = numbers, *froms = users + count, *tos = froms + count;
    int64_t *from_ids = tos + count, *to_ids = from_ids + count, *refs = to_ids + count;
    int64_t *belows = refs + count, *limits = belows + count;
    const char **types = arena_array(arena, count, sizeof(*types));
    for (size_t i = 0; i < count; i++) {
        const struct history_query *query = &queries[i];
        users[i] = query->user_id;
        froms[i] = query->from_us;
        tos[i] = query->to_us;
        from_ids[i] = query->from_us == DB_NULL_INT64 ? 0 : time_id_floor(query->from_us);
        to_ids[i] = query->to_us == DB_NULL_INT64 ? INT64_MAX : last_id_of(query->to_us);
        types[i] = query->type ? entry_type_name(query->type) : NULL;
        refs[i] = query->ref_id;
        belows[i] = query->below_number;
        limits[i] = query->limit;
    }
    struct rows rows;
    struct status st =
        db_query(db, &LIST_HISTORY,
                 PARAMS(p_int64s(users, count), p_int64s(froms, count), p_int64s(tos, count),
                        p_int64s(from_ids, count), p_int64s(to_ids, count), p_texts(types, count),
                        p_int64s(refs, count), p_int64s(belows, count), p_int64s(limits, count)),
                 &rows);
    if (!failed(st))
        read_pages(&rows, arena, pages, count);
    return st;
}

static const struct statement MAKE_PARTITIONS = {
    "user_make_partitions",
    "SELECT baro_make_partitions('wallet_history', $1::bigint::integer) IS NULL"};

struct status store_make_partitions(struct db *db)
{
    return db_execute(db, &MAKE_PARTITIONS, PARAMS(p_int64(MONTHS_AHEAD)), NULL);
}
