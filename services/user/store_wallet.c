// The SQL of wallets and their history.
//
// Wallets are read without a lock and written with a check of their version (SPEC 3), in one statement
// with the rows that explain the change. The locks of the write are taken in the order of the users.

#include "services/user/store.h"

#include "lib/base/text.h"
#include "lib/base/timeid.h"
#include "lib/db/columns.h"

enum { MONTHS_AHEAD = 2 };

static const struct statement LOAD_WALLETS = {
    "user_load_wallets", "SELECT user_id, balance, version, updated_at FROM wallet"
                         " WHERE user_id = ANY ($1::bigint[]) ORDER BY user_id"};

static void read_wallets(const struct rows *rows, struct arena *arena, struct wallet **wallets,
                         size_t *count)
{
    *wallets = arena_array(arena, rows->count, sizeof(**wallets));
    *count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        (*wallets)[i] = (struct wallet){
            .user_id = rows_int64(rows, i, 0),
            .balance_won = rows_int64(rows, i, 1),
            .version = rows_int64(rows, i, 2),
            .updated_at_us = rows_int64(rows, i, 3),
        };
}

struct status store_load_wallets(struct db *db, struct arena *arena, const int64_t *user_ids,
                                 size_t user_count, struct wallet **wallets, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &LOAD_WALLETS, PARAMS(p_int64s(user_ids, user_count)), &rows);
    if (!failed(st))
        read_wallets(&rows, arena, wallets, count);
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
    " e AS (SELECT unnest($5::bigint[]) AS id, unnest($6::bigint[]) AS user_id,"
    "              unnest($7::bigint[]) AS number, unnest($12::text[]) AS type,"
    "              unnest($8::bigint[]) AS amount, unnest($9::bigint[]) AS before,"
    "              unnest($10::bigint[]) AS after, unnest($11::bigint[]) AS ref_id,"
    "              unnest($13::text[]) AS note),"
    " locked AS (SELECT user_id, version FROM wallet WHERE user_id = ANY ($1::bigint[])"
    "            ORDER BY user_id FOR UPDATE),"
    " verdict AS (SELECT count(*) = cardinality($1::bigint[]) AS good"
    "             FROM n JOIN locked USING (user_id) WHERE locked.version = n.loaded),"
    " saved AS (UPDATE wallet w SET balance = n.balance, version = n.version,"
    "           updated_at = baro_time($14::bigint) FROM n"
    "           WHERE w.user_id = n.user_id AND n.version <> n.loaded"
    "             AND (SELECT good FROM verdict)),"
    " explained AS (INSERT INTO wallet_history"
    "               (id, user_id, number, type, amount, before, after, ref_id, note, created_at)"
    "               SELECT e.*, baro_time($14::bigint) FROM e WHERE (SELECT good FROM verdict)),"
    " moved AS (INSERT INTO wallet_order_entry (order_id, type, user_id, amount)"
    "           SELECT ref_id, type, user_id, amount FROM e"
    "           WHERE ref_id IS NOT NULL AND (SELECT good FROM verdict) ORDER BY ref_id, type)"
    " SELECT good FROM verdict"};

static void fill_wallets(struct columns *columns, struct arena *arena, const struct ledger *ledger)
{
    columns_init(columns, arena, ledger->wallet_count, 4, 0, 0);
    for (size_t i = 0; i < ledger->wallet_count; i++) {
        const struct wallet *wallet = &ledger->wallets[i];
        columns_add(columns,
                    (int64_t[]){wallet->user_id, wallet->balance_won, wallet->version,
                                ledger->loaded_versions[i]},
                    NULL, NULL);
    }
}

static void fill_entries(struct columns *columns, struct arena *arena, const struct ledger *ledger)
{
    columns_init(columns, arena, ledger->entry_count, 7, 2, 0);
    for (size_t i = 0; i < ledger->entry_count; i++) {
        const struct entry *entry = &ledger->entries[i];
        columns_add(columns,
                    (int64_t[]){entry->id, entry->user_id, entry->number, entry->amount_won,
                                entry->before_won, entry->after_won, db_or_null(entry->ref_id)},
                    (const char *[]){entry_type_name(entry->type), entry->note}, NULL);
    }
}

struct status store_save_ledger(struct db *db, struct arena *arena, const struct ledger *ledger,
                                bool *saved)
{
    struct columns wallets, entries;
    struct rows rows;
    if (ledger->entry_count == 0) {
        *saved = true;
        return OK;
    }
    fill_wallets(&wallets, arena, ledger);
    fill_entries(&entries, arena, ledger);
    struct params params =
        columns_params(&wallets, columns_params(&entries, PARAMS(p_int64(ledger->now_us))));
    struct status st = db_query(db, &SAVE_LEDGER, params, &rows);
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
    "             $6::bigint[], $7::bigint[], $8::bigint[], $9::text[]) WITH ORDINALITY"
    "      AS q (user_id, from_us, to_us, from_id, to_id, ref_id, below, size, type, query)"
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

static void add_query(struct columns *columns, const struct history_query *query)
{
    int64_t from_id = query->from_us == DB_NULL_INT64 ? 0 : time_id_floor(query->from_us);
    int64_t to_id = query->to_us == DB_NULL_INT64 ? INT64_MAX : last_id_of(query->to_us);
    columns_add(columns,
                (int64_t[]){query->user_id, query->from_us, query->to_us, from_id, to_id,
                            query->ref_id, query->below_number, query->limit},
                (const char *[]){query->type ? entry_type_name(query->type) : NULL}, NULL);
}

struct status store_list_history(struct db *db, struct arena *arena,
                                 const struct history_query *queries, size_t count,
                                 struct history *pages)
{
    struct columns columns;
    struct rows rows;
    columns_init(&columns, arena, count, 8, 1, 0);
    for (size_t i = 0; i < count; i++)
        add_query(&columns, &queries[i]);
    struct status st = db_query(db, &LIST_HISTORY, columns_params(&columns, NO_PARAMS), &rows);
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
