// The SQL of wallets and their history.
//
// Wallets are read without a lock and written with a check of their version (SPEC 3), in one statement
// with the rows that explain the change. The locks of the write are taken in the order of the users.

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

// All or nothing: when any wallet of the batch has moved on, nothing is written, but all of them are
// locked now, so that a second look is the last.
static const struct statement SAVE_LEDGER = {
    "user_save_ledger",
    "WITH n AS (SELECT unnest($1::bigint[]) AS user_id, unnest($2::bigint[]) AS balance,"
    "                  unnest($3::bigint[]) AS version, unnest($4::bigint[]) AS loaded),"
    " e AS (SELECT unnest($6::bigint[]) AS id, unnest($7::bigint[]) AS user_id,"
    "              unnest($8::bigint[]) AS number, unnest($9::text[]) AS type,"
    "              unnest($10::bigint[]) AS amount, unnest($11::bigint[]) AS before,"
    "              unnest($12::bigint[]) AS after, unnest($13::bigint[]) AS ref_id,"
    "              unnest($14::text[]) AS note),"
    " locked AS (SELECT user_id, version FROM wallet WHERE user_id = ANY ($1::bigint[])"
    "            ORDER BY user_id FOR UPDATE),"
    " verdict AS (SELECT count(*) = cardinality($1::bigint[]) AS good"
    "             FROM n JOIN locked USING (user_id) WHERE locked.version = n.loaded),"
    " saved AS (UPDATE wallet w SET balance = n.balance, version = n.version,"
    "           updated_at = baro_time($5::bigint) FROM n"
    "           WHERE w.user_id = n.user_id AND n.version <> n.loaded"
    "             AND (SELECT good FROM verdict)),"
    " explained AS (INSERT INTO wallet_history"
    "               (id, user_id, number, type, amount, before, after, ref_id, note, created_at)"
    "               SELECT e.*, baro_time($5::bigint) FROM e WHERE (SELECT good FROM verdict)),"
    " moved AS (INSERT INTO wallet_order_entry (order_id, type, user_id, amount)"
    "           SELECT ref_id, type, user_id, amount FROM e"
    "           WHERE ref_id IS NOT NULL AND (SELECT good FROM verdict) ORDER BY ref_id, type)"
    " SELECT good FROM verdict"};

// The wallets and the entries of a ledger as one array a column.
struct wallet_columns {
    int64_t *users, *balances, *versions;
};

struct entry_columns {
    int64_t *ids, *users, *numbers, *amounts, *befores, *afters, *refs;
    const char **types, **notes;
};

static struct wallet_columns wallet_columns(struct arena *arena, const struct ledger *ledger)
{
    size_t count = ledger->wallet_count;
    struct wallet_columns columns = {
        .users = arena_array(arena, count, sizeof(int64_t)),
        .balances = arena_array(arena, count, sizeof(int64_t)),
        .versions = arena_array(arena, count, sizeof(int64_t)),
    };
    for (size_t i = 0; i < count; i++) {
        columns.users[i] = ledger->wallets[i].user_id;
        columns.balances[i] = ledger->wallets[i].balance_won;
        columns.versions[i] = ledger->wallets[i].version;
    }
    return columns;
}

static struct entry_columns entry_columns(struct arena *arena, const struct ledger *ledger)
{
    size_t count = ledger->entry_count;
    struct entry_columns columns = {
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
        columns.refs[i] = db_or_null(entry->ref_id);
        columns.types[i] = entry_type_name(entry->type);
        columns.notes[i] = entry->note;
    }
    return columns;
}

struct status store_save_ledger(struct db *db, struct arena *arena, const struct ledger *ledger,
                                bool *saved)
{
    size_t wallets = ledger->wallet_count, entries = ledger->entry_count;
    struct wallet_columns w = wallet_columns(arena, ledger);
    struct entry_columns e = entry_columns(arena, ledger);
    struct rows rows;
    if (entries == 0) {
        *saved = true;
        return OK;
    }
    struct status st = db_query(
        db, &SAVE_LEDGER,
        PARAMS(p_int64s(w.users, wallets), p_int64s(w.balances, wallets),
               p_int64s(w.versions, wallets), p_int64s(ledger->loaded_versions, wallets),
               p_int64(ledger->now_us), p_int64s(e.ids, entries), p_int64s(e.users, entries),
               p_int64s(e.numbers, entries), p_texts(e.types, entries),
               p_int64s(e.amounts, entries), p_int64s(e.befores, entries),
               p_int64s(e.afters, entries), p_int64s(e.refs, entries), p_texts(e.notes, entries)),
        &rows);
    if (!failed(st))
        *saved = rows_bool(&rows, 0, 0);
    return st;
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
