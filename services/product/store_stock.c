// SQL of stock and holds.
//
// Invariant: whoever changes an option's stock or a hold has locked the row of its option, and rows
// are locked in id order, so orders over the same options in any order never deadlock. Holds are read
// by the statement after the lock, in the same round trip: READ COMMITTED gives it a snapshot of its
// own, which has all that former owners of the lock wrote.

#include "services/product/store.h"

#include "lib/base/text.h"
#include "lib/db/columns.h"

#define STOCK_COLUMNS                                                                              \
    "SELECT o.id, o.product_id, o.price, o.total, o.held,"                                         \
    " p.is_active AND p.deleted_at IS NULL, p.name, o.name"                                        \
    " FROM product_option o JOIN product p ON p.id = o.product_id"

static const struct statement FIND_STOCKS = {"stock_find", STOCK_COLUMNS
                                             " WHERE o.id = ANY($1::bigint[]) ORDER BY o.id"};

static const struct statement LOCK_STOCK = {
    "stock_lock_one",
    STOCK_COLUMNS " WHERE o.id = $1::bigint AND p.deleted_at IS NULL FOR UPDATE OF o"};

static const struct statement LOCK_STOCKS = {
    "stock_lock", STOCK_COLUMNS " WHERE o.id = ANY($1::bigint[]) ORDER BY o.id FOR UPDATE OF o"};

static const struct statement LOCK_STOCKS_OF_ORDERS = {
    "stock_lock_of_orders",
    STOCK_COLUMNS " WHERE o.id IN (SELECT option_id FROM hold WHERE order_id = ANY($1::bigint[]))"
                  " ORDER BY o.id FOR UPDATE OF o"};

// The same, and options whose holds may be on their way: who makes them has locked them.
static const struct statement LOCK_STOCKS_TO_RELEASE = {
    "stock_lock_to_release",
    STOCK_COLUMNS " WHERE o.id = ANY(ARRAY(SELECT option_id FROM hold WHERE order_id ="
                  " ANY($1::bigint[])) || $2::bigint[]) ORDER BY o.id FOR UPDATE OF o"};

static const struct statement FIND_HOLDS = {
    "stock_find_holds", "SELECT order_id, option_id, quantity, expires_at, status FROM hold"
                        " WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, option_id"};

// To an order that gave back before it held anything it looks as if its hold had ended.
static const struct statement FIND_HOLDS_TO_HOLD = {
    "stock_find_holds_to_hold",
    "SELECT order_id, option_id, quantity, expires_at, status FROM hold"
    " WHERE order_id = ANY($1::bigint[]) UNION ALL"
    " SELECT order_id, 0, 0, given_back_at, 'RELEASED' FROM hold_given_back"
    " WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, option_id"};

static struct stock *read_stocks(const struct rows *rows, struct arena *arena)
{
    struct stock *stocks = arena_array(arena, rows->count + 1, sizeof(*stocks));
    for (size_t i = 0; i < rows->count; i++)
        stocks[i] = (struct stock){
            .option_id = rows_int64(rows, i, 0),
            .product_id = rows_int64(rows, i, 1),
            .price_won = rows_int64(rows, i, 2),
            .total = rows_int64(rows, i, 3),
            .held = rows_int64(rows, i, 4),
            .orderable = rows_bool(rows, i, 5),
            .product_name = text_copy(arena, rows_text(rows, i, 6)),
            .option_name = text_copy(arena, rows_text(rows, i, 7)),
        };
    return stocks;
}

static struct hold *read_holds(const struct rows *rows, struct arena *arena)
{
    struct hold *holds = arena_array(arena, rows->count + 1, sizeof(*holds));
    for (size_t i = 0; i < rows->count; i++)
        holds[i] = (struct hold){
            .order_id = rows_int64(rows, i, 0),
            .option_id = rows_int64(rows, i, 1),
            .quantity = rows_int64(rows, i, 2),
            .expires_at_us = rows_int64(rows, i, 3),
            .status = hold_status_parse(rows_text(rows, i, 4)),
            .stored = true,
        };
    return holds;
}

struct status store_find_stocks(struct db *db, struct arena *arena, const int64_t *option_ids,
                                size_t id_count, struct stock **stocks, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &FIND_STOCKS, PARAMS(p_int64s(option_ids, id_count)), &rows);
    if (failed(st))
        return st;
    *stocks = read_stocks(&rows, arena);
    *count = rows.count;
    return OK;
}

struct status store_lock_stock(struct db *db, struct arena *arena, int64_t option_id,
                               struct stock **stock)
{
    struct rows rows;
    struct status st = db_query(db, &LOCK_STOCK, PARAMS(p_int64(option_id)), &rows);
    if (!failed(st))
        *stock = rows.count ? read_stocks(&rows, arena) : NULL;
    return st;
}

// How a book is loaded: locks with one statement, then reads the holds of the orders with the other, in
// one round trip.
struct book_source {
    const struct statement *lock, *find;
    struct params lock_params;
    const int64_t *order_ids;
    size_t order_count;
    size_t new_lines;
};

static struct status load_book(struct db *db, struct arena *arena, const struct book_source *source,
                               struct book *book)
{
    struct rows stocks, holds;
    struct status st = db_queue_query(db, source->lock, source->lock_params, &stocks);
    if (!failed(st))
        st = db_query(db, source->find, PARAMS(p_int64s(source->order_ids, source->order_count)),
                      &holds);
    if (failed(st))
        return st;
    book_init(book, arena, source->order_ids, source->order_count, read_stocks(&stocks, arena),
              stocks.count, read_holds(&holds, arena), holds.count, source->new_lines);
    return OK;
}

struct status store_load_book_to_hold(struct db *db, struct arena *arena, const int64_t *option_ids,
                                      size_t option_count, const int64_t *order_ids,
                                      size_t order_count, struct book *book)
{
    return load_book(
        db, arena,
        &(struct book_source){.lock = &LOCK_STOCKS,
                              .lock_params = PARAMS(p_int64s(option_ids, option_count)),
                              .find = &FIND_HOLDS_TO_HOLD,
                              .order_ids = order_ids,
                              .order_count = order_count,
                              .new_lines = option_count},
        book);
}

struct status store_load_book_to_release(struct db *db, struct arena *arena,
                                         const int64_t *option_ids, size_t option_count,
                                         const int64_t *order_ids, size_t order_count,
                                         struct book *book)
{
    return load_book(
        db, arena,
        &(struct book_source){.lock = &LOCK_STOCKS_TO_RELEASE,
                              .lock_params = PARAMS(p_int64s(order_ids, order_count),
                                                    p_int64s(option_ids, option_count)),
                              .find = &FIND_HOLDS,
                              .order_ids = order_ids,
                              .order_count = order_count},
        book);
}

struct status store_load_book(struct db *db, struct arena *arena, const int64_t *order_ids,
                              size_t order_count, struct book *book)
{
    return load_book(db, arena,
                     &(struct book_source){.lock = &LOCK_STOCKS_OF_ORDERS,
                                           .lock_params = PARAMS(p_int64s(order_ids, order_count)),
                                           .find = &FIND_HOLDS,
                                           .order_ids = order_ids,
                                           .order_count = order_count},
                     book);
}

static const struct statement NOTE_GIVEN_BACK = {
    "stock_note_given_back", "INSERT INTO hold_given_back (order_id)"
                             " SELECT DISTINCT id FROM unnest($1::bigint[]) AS u (id) ORDER BY id"
                             " ON CONFLICT DO NOTHING"};

struct status store_note_given_back(struct db *db, const int64_t *order_ids, size_t count)
{
    return count ? db_queue(db, &NOTE_GIVEN_BACK, PARAMS(p_int64s(order_ids, count))) : OK;
}

static const struct statement PRUNE_GIVEN_BACK = {
    "stock_prune_given_back",
    "DELETE FROM hold_given_back WHERE order_id = ANY(ARRAY(SELECT order_id FROM hold_given_back"
    " WHERE given_back_at < baro_now() - $1::bigint * interval '1 ms' LIMIT $2::bigint))"};

struct status store_prune_given_back(struct db *db, int64_t keep_ms, int64_t limit,
                                     int64_t *deleted)
{
    return db_execute(db, &PRUNE_GIVEN_BACK, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}

static const struct statement SAVE_STOCKS = {
    "stock_save", "UPDATE product_option o SET total = v.total, held = v.held"
                  " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS total,"
                  "              unnest($3::bigint[]) AS held) AS v"
                  " WHERE o.id = v.id"};

static struct status save_stocks(struct db *db, struct arena *arena, const struct book *book)
{
    struct columns columns;
    columns_init(&columns, arena, book->stock_count, 3, 0, 0);
    for (size_t i = 0; i < book->stock_count; i++) {
        const struct stock *stock = &book->stocks[i];
        if (stock->changed)
            columns_add(&columns, (int64_t[]){stock->option_id, stock->total, stock->held}, NULL,
                        NULL);
    }
    return columns_queue(&columns, db, &SAVE_STOCKS);
}

static const struct statement INSERT_HOLDS = {
    "stock_insert_holds",
    "INSERT INTO hold (order_id, option_id, quantity, status, expires_at)"
    " SELECT v.order_id, v.option_id, v.quantity, 'HELD', baro_time(v.expires_at)"
    " FROM (SELECT unnest($1::bigint[]) AS order_id, unnest($2::bigint[]) AS option_id,"
    "              unnest($3::bigint[]) AS quantity, unnest($4::bigint[]) AS expires_at) AS v"};

static struct status insert_holds(struct db *db, struct arena *arena, const struct book *book)
{
    struct columns columns;
    columns_init(&columns, arena, book->hold_count, 4, 0, 0);
    for (size_t i = 0; i < book->hold_count; i++) {
        const struct hold *hold = &book->holds[i];
        if (!hold->stored)
            columns_add(
                &columns,
                (int64_t[]){hold->order_id, hold->option_id, hold->quantity, hold->expires_at_us},
                NULL, NULL);
    }
    return columns_queue(&columns, db, &INSERT_HOLDS);
}

static const struct statement SAVE_HOLDS = {
    "stock_save_holds",
    "UPDATE hold h SET status = v.status"
    " FROM (SELECT unnest($1::bigint[]) AS order_id, unnest($2::bigint[]) AS option_id,"
    "              unnest($3::text[]) AS status) AS v"
    " WHERE h.order_id = v.order_id AND h.option_id = v.option_id"};

static struct status save_holds(struct db *db, struct arena *arena, const struct book *book)
{
    struct columns columns;
    columns_init(&columns, arena, book->hold_count, 2, 1, 0);
    for (size_t i = 0; i < book->hold_count; i++) {
        const struct hold *hold = &book->holds[i];
        if (hold->stored && hold->changed)
            columns_add(&columns, (int64_t[]){hold->order_id, hold->option_id},
                        (const char *[]){hold_status_name(hold->status)}, NULL);
    }
    return columns_queue(&columns, db, &SAVE_HOLDS);
}

static const struct statement INSERT_MOVEMENTS = {
    "stock_insert_movements",
    "INSERT INTO stock_movement (option_id, delta, kind, order_id, note)"
    " SELECT v.option_id, v.delta, v.kind, v.order_id, v.note"
    " FROM (SELECT unnest($1::bigint[]) AS option_id, unnest($2::bigint[]) AS delta,"
    "              unnest($3::bigint[]) AS order_id, unnest($4::text[]) AS kind,"
    "              unnest($5::text[]) AS note) AS v"};

static struct status insert_movements(struct db *db, struct arena *arena,
                                      const struct movement *movements, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 3, 2, 0);
    for (size_t i = 0; i < count; i++) {
        const struct movement *movement = &movements[i];
        columns_add(
            &columns,
            (int64_t[]){movement->option_id, movement->delta, db_or_null(movement->order_id)},
            (const char *[]){movement_kind_name(movement->kind), movement->note}, NULL);
    }
    return columns_queue(&columns, db, &INSERT_MOVEMENTS);
}

struct status store_save_book(struct db *db, struct arena *arena, const struct book *book)
{
    struct status st = save_stocks(db, arena, book);
    if (!failed(st))
        st = insert_holds(db, arena, book);
    if (!failed(st))
        st = save_holds(db, arena, book);
    if (!failed(st))
        st = insert_movements(db, arena, book->movements, book->movement_count);
    return st;
}

struct status store_save_stock(struct db *db, struct arena *arena, const struct stock *stock,
                               const struct movement *movement)
{
    int64_t id = stock->option_id, total = stock->total, held = stock->held;
    struct status st = db_queue(db, &SAVE_STOCKS,
                                PARAMS(p_int64s(&id, 1), p_int64s(&total, 1), p_int64s(&held, 1)));
    return failed(st) ? st : insert_movements(db, arena, movement, 1);
}

// A claim is a lease: the expiry moves on, so no other sweeper looks at the hold before it ends, and
// the hold of an order that lives has its extension already. Claimed rows are skipped, not waited
// for: the statement takes no lock of anybody's order.
static const struct statement CLAIM_EXPIRED = {
    "stock_claim_expired",
    "WITH due AS (SELECT order_id, option_id FROM hold"
    "             WHERE status = 'HELD' AND expires_at <= baro_now()"
    "             ORDER BY expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED),"
    "     claimed AS (UPDATE hold h SET expires_at = baro_now() + $2::bigint * interval '1 ms'"
    "                 FROM due WHERE h.order_id = due.order_id AND h.option_id = due.option_id"
    "                 RETURNING h.order_id)"
    " SELECT DISTINCT order_id FROM claimed"};

struct status store_claim_expired(struct db *db, struct arena *arena, int64_t limit,
                                  int64_t lease_ms, int64_t **order_ids, size_t *count)
{
    struct rows rows;
    struct status st =
        db_query(db, &CLAIM_EXPIRED, PARAMS(p_int64(limit), p_int64(lease_ms)), &rows);
    if (failed(st))
        return st;
    *order_ids = rows_int64s(&rows, 0, arena);
    *count = rows.count;
    return OK;
}
