// Orders, their lines and their timelines.

#include "services/order/store.h"

#include "lib/base/macros.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/bus/outbox.h"
#include "lib/db/columns.h"
#include "services/order/wire.h"

#include <assert.h>
#include <stdlib.h>

#define ORDER_COLUMNS                                                                              \
    "id, user_id, saga_id, user_coupon_id, total_amount, discount, created_at, expires_at,"        \
    " paid_at, version, status, failure_reason"

static const struct statement LOAD = {
    "order_load",
    "SELECT " ORDER_COLUMNS " FROM orders WHERE id = ANY($1::bigint[]) ORDER BY id",
};

static const struct statement LOCK = {
    "order_lock",
    "SELECT " ORDER_COLUMNS " FROM orders WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE",
};

// PENDING is 1. Two sweeps at once take two lots: what one has claimed the other leaves out before
// it counts. Whoever pays locks the order first and its claim after it; nothing here waits, so that
// is no circle.
static const struct statement LOCK_EXPIRED = {
    "order_lock_expired",
    "SELECT " ORDER_COLUMNS " FROM orders WHERE id = ANY(ARRAY(SELECT order_id FROM order_pending"
    "   WHERE expires_at <= baro_now() ORDER BY order_id LIMIT $1::bigint FOR UPDATE SKIP LOCKED))"
    " AND status = 1 ORDER BY id FOR UPDATE SKIP LOCKED",
};

static const struct statement LOAD_LINES = {
    "order_load_lines",
    "SELECT order_id, option_id, product_id, unit_price, quantity, product_name, option_name"
    " FROM order_item WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, line",
};

static const struct statement LOAD_CHANGES = {
    "order_load_changes",
    "SELECT order_id, status, at, reason FROM order_history WHERE order_id = ANY($1::bigint[])"
    " ORDER BY order_id, version",
};

struct order *order_set_find(const struct order_set *set, int64_t id)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->orders[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->orders[low].id == id ? &set->orders[low] : NULL;
}

static struct order take_order(const struct rows *rows, size_t row, struct arena *arena)
{
    return (struct order){
        .id = rows_int64(rows, row, 0),
        .user_id = rows_int64(rows, row, 1),
        .saga_id = rows_int64(rows, row, 2),
        .user_coupon_id = rows_int64(rows, row, 3),
        .total_won = rows_int64(rows, row, 4),
        .discount_won = rows_int64(rows, row, 5),
        .created_at_us = rows_int64(rows, row, 6),
        .expires_at_us = rows_int64(rows, row, 7),
        .paid_at_us = rows_int64(rows, row, 8),
        .version = rows_int64(rows, row, 9),
        .status = (enum order_status)rows_int64(rows, row, 10),
        .failure_reason = text_copy_if(arena, rows_text(rows, row, 11)),
        .stored = true,
        .stored_pending = rows_int64(rows, row, 10) == ORDER_PENDING,
    };
}

static int compare_orders(const void *a, const void *b)
{
    const struct order *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static void take_orders(const struct rows *rows, struct arena *arena, struct order_set *set)
{
    set->count = rows->count;
    set->orders = arena_array(arena, rows->count + 1, sizeof(*set->orders));
    for (size_t row = 0; row < rows->count; row++)
        set->orders[row] = take_order(rows, row, arena);
    qsort(set->orders, set->count, sizeof(*set->orders), compare_orders);
}

// Rows of parts come ordered by order id: the number of rows from `row` on that belong to one order.
static size_t run_length(const struct rows *rows, size_t row)
{
    size_t end = row + 1;
    while (end < rows->count && rows_int64(rows, end, 0) == rows_int64(rows, row, 0))
        end++;
    return end - row;
}

static void take_lines(const struct rows *rows, struct arena *arena, struct order_set *set)
{
    for (size_t row = 0, length; row < rows->count; row += length) {
        length = run_length(rows, row);
        struct order *order = order_set_find(set, rows_int64(rows, row, 0));
        if (!order)
            continue;
        order->line_count = length;
        order->lines = arena_array(arena, length, sizeof(*order->lines));
        for (size_t i = 0; i < length; i++)
            order->lines[i] = (struct order_line){
                .option_id = rows_int64(rows, row + i, 1),
                .product_id = rows_int64(rows, row + i, 2),
                .price_won = rows_int64(rows, row + i, 3),
                .quantity = rows_int64(rows, row + i, 4),
                .product_name = text_copy(arena, rows_text(rows, row + i, 5)),
                .option_name = text_copy(arena, rows_text(rows, row + i, 6)),
            };
    }
}

// The order's row was read first: entries that a later transaction has added meanwhile are not part
// of what is shown.
static void take_changes(const struct rows *rows, struct arena *arena, struct order_set *set)
{
    for (size_t row = 0, length; row < rows->count; row += length) {
        length = run_length(rows, row);
        struct order *order = order_set_find(set, rows_int64(rows, row, 0));
        if (!order)
            continue;
        size_t count = length < (size_t)order->version ? length : (size_t)order->version;
        order->change_count = order->changes_saved = count;
        order->changes = arena_array(arena, count, sizeof(*order->changes));
        for (size_t i = 0; i < count; i++)
            order->changes[i] = (struct order_change){
                .status = (enum order_status)rows_int64(rows, row + i, 1),
                .at_us = rows_int64(rows, row + i, 2),
                .reason = text_copy_if(arena, rows_text(rows, row + i, 3)),
            };
    }
}

struct status order_query_send(struct order_query *query, struct db *db, const int64_t *ids,
                               size_t count, unsigned load)
{
    param wanted = p_int64s(ids, count);
    *query = (struct order_query){.load = load};
    struct status st = db_queue_query(db, load & ORDER_LOAD_LOCKED ? &LOCK : &LOAD, PARAMS(wanted),
                                      &query->orders);
    if (!failed(st) && load & (ORDER_LOAD_PARTS | ORDER_LOAD_TIMELINE))
        st = db_queue_query(db, &LOAD_CHANGES, PARAMS(wanted), &query->changes);
    if (failed(st) || !(load & ORDER_LOAD_PARTS))
        return st;
    st = db_queue_query(db, &LOAD_LINES, PARAMS(wanted), &query->lines);
    if (!failed(st))
        st = store_send_payments(db, ids, count, &query->payments, &query->payment_changes);
    return st;
}

void order_query_take(const struct order_query *query, struct arena *arena, struct order_set *set)
{
    take_orders(&query->orders, arena, set);
    if (query->load & (ORDER_LOAD_PARTS | ORDER_LOAD_TIMELINE))
        take_changes(&query->changes, arena, set);
    if (!(query->load & ORDER_LOAD_PARTS))
        return;
    take_lines(&query->lines, arena, set);
    store_take_payments(&query->payments, &query->payment_changes, arena, set);
}

struct status store_load_orders(struct db *db, struct arena *arena, const int64_t *ids,
                                size_t count, unsigned load, struct order_set *set)
{
    struct order_query query;
    struct status st = order_query_send(&query, db, ids, count, load);
    if (!failed(st))
        st = db_flush(db);
    if (!failed(st))
        order_query_take(&query, arena, set);
    return st;
}

struct status store_lock_expired(struct db *db, struct arena *arena, int64_t limit,
                                 struct order_set *set)
{
    struct rows rows;
    struct status st = db_query(db, &LOCK_EXPIRED, PARAMS(p_int64(limit)), &rows);
    if (!failed(st))
        take_orders(&rows, arena, set);
    return st;
}

static const struct statement INSERT = {
    "order_insert",
    "INSERT INTO orders (id, user_id, saga_id, user_coupon_id, total_amount, discount, created_at,"
    "                    expires_at, paid_at, version, status, failure_reason)"
    " SELECT id, user_id, saga_id, user_coupon_id, total, discount, baro_time(created_at),"
    "        baro_time(expires_at), baro_time(paid_at), version, status, reason"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS user_id,"
    "              unnest($3::bigint[]) AS saga_id, unnest($4::bigint[]) AS user_coupon_id,"
    "              unnest($5::bigint[]) AS total, unnest($6::bigint[]) AS discount,"
    "              unnest($7::bigint[]) AS created_at, unnest($8::bigint[]) AS expires_at,"
    "              unnest($9::bigint[]) AS paid_at, unnest($10::bigint[]) AS version,"
    "              unnest($11::bigint[]) AS status, unnest($12::text[]) AS reason) AS u",
};

static const struct statement UPDATE = {
    "order_update",
    "UPDATE orders SET saga_id = u.saga_id, user_coupon_id = u.user_coupon_id,"
    "  discount = u.discount, paid_at = baro_time(u.paid_at), version = u.version,"
    "  status = u.status, failure_reason = u.reason"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS saga_id,"
    "              unnest($3::bigint[]) AS user_coupon_id, unnest($4::bigint[]) AS discount,"
    "              unnest($5::bigint[]) AS paid_at, unnest($6::bigint[]) AS version,"
    "              unnest($7::bigint[]) AS status, unnest($8::text[]) AS reason) AS u"
    " WHERE orders.id = u.id",
};

static const struct statement INSERT_LINES = {
    "order_insert_lines",
    "INSERT INTO order_item (order_id, line, option_id, product_id, unit_price, quantity,"
    "                        product_name, option_name)"
    " SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]),"
    "        unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::text[]),"
    "        unnest($8::text[])",
};

static const struct statement INSERT_CHANGES = {
    "order_insert_changes",
    "INSERT INTO order_history (order_id, version, status, at, reason)"
    " SELECT order_id, version, status, baro_time(at), reason"
    " FROM (SELECT unnest($1::bigint[]) AS order_id, unnest($2::bigint[]) AS version,"
    "              unnest($3::bigint[]) AS status, unnest($4::bigint[]) AS at,"
    "              unnest($5::text[]) AS reason) AS u",
};

static struct status insert_orders(struct db *db, struct arena *arena, struct order *const *orders,
                                   size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 11, 1, 0);
    for (size_t i = 0; i < count; i++) {
        const struct order *o = orders[i];
        if (!o->stored)
            columns_add(&columns,
                        (int64_t[]){o->id, o->user_id, db_or_null(o->saga_id),
                                    db_or_null(o->user_coupon_id), o->total_won, o->discount_won,
                                    o->created_at_us, o->expires_at_us, db_or_null(o->paid_at_us),
                                    o->version, (int64_t)o->status},
                        &o->failure_reason, NULL);
    }
    return columns_queue(&columns, db, &INSERT);
}

static struct status update_orders(struct db *db, struct arena *arena, struct order *const *orders,
                                   size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 7, 1, 0);
    for (size_t i = 0; i < count; i++) {
        const struct order *o = orders[i];
        if (o->stored && o->change_count > o->changes_saved)
            columns_add(&columns,
                        (int64_t[]){o->id, db_or_null(o->saga_id), db_or_null(o->user_coupon_id),
                                    o->discount_won, db_or_null(o->paid_at_us), o->version,
                                    (int64_t)o->status},
                        &o->failure_reason, NULL);
    }
    return columns_queue(&columns, db, &UPDATE);
}

static struct status insert_lines(struct db *db, struct arena *arena, struct order *const *orders,
                                  size_t count)
{
    struct columns columns;
    size_t lines = 0;
    for (size_t i = 0; i < count; i++)
        lines += orders[i]->stored ? 0 : orders[i]->line_count;
    columns_init(&columns, arena, lines, 6, 2, 0);
    for (size_t i = 0; i < count; i++) {
        const struct order *o = orders[i];
        for (size_t j = 0; !o->stored && j < o->line_count; j++) {
            const struct order_line *line = &o->lines[j];
            columns_add(&columns,
                        (int64_t[]){o->id, (int64_t)j, line->option_id, line->product_id,
                                    line->price_won, line->quantity},
                        (const char *[]){line->product_name, line->option_name}, NULL);
        }
    }
    return columns_queue(&columns, db, &INSERT_LINES);
}

static size_t fresh_changes(struct order *const *orders, size_t count)
{
    size_t fresh = 0;
    for (size_t i = 0; i < count; i++)
        fresh += orders[i]->change_count - orders[i]->changes_saved;
    return fresh;
}

static struct status insert_changes(struct db *db, struct arena *arena, struct order *const *orders,
                                    size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, fresh_changes(orders, count), 4, 1, 0);
    for (size_t i = 0; i < count; i++) {
        const struct order *o = orders[i];
        for (size_t j = o->changes_saved; j < o->change_count; j++)
            columns_add(&columns,
                        (int64_t[]){o->id, order_change_version(o, j),
                                    (int64_t)o->changes[j].status, o->changes[j].at_us},
                        &o->changes[j].reason, NULL);
    }
    return columns_queue(&columns, db, &INSERT_CHANGES);
}

static struct status append_events(struct db *db, struct arena *arena, struct order *const *orders,
                                   size_t count)
{
    size_t fresh = fresh_changes(orders, count), event_count = 0;
    const Baro__Event **events = arena_array(arena, fresh, sizeof(Baro__Event *));
    for (size_t i = 0; i < count; i++)
        for (size_t j = orders[i]->changes_saved; j < orders[i]->change_count; j++)
            events[event_count++] = wire_event(arena, orders[i], &orders[i]->changes[j]);
    assert(event_count == fresh);
    return outbox_append(db, events, fresh);
}

struct status store_save_orders(struct db *db, struct arena *arena, struct order *const *orders,
                                size_t count)
{
    struct status st = insert_orders(db, arena, orders, count);
    if (!failed(st))
        st = insert_lines(db, arena, orders, count);
    if (!failed(st))
        st = update_orders(db, arena, orders, count);
    if (!failed(st))
        st = store_save_pending(db, arena, orders, count);
    if (!failed(st))
        st = insert_changes(db, arena, orders, count);
    if (!failed(st))
        st = store_save_payments(db, arena, orders, count);
    if (!failed(st))
        st = append_events(db, arena, orders, count);
    return st;
}

struct order **order_set_list(const struct order_set *set, struct arena *arena)
{
    struct order **orders = arena_array(arena, set->count + 1, sizeof(struct order *));
    for (size_t i = 0; i < set->count; i++)
        orders[i] = &set->orders[i];
    return orders;
}

struct status store_save_set(struct db *db, struct arena *arena, const struct order_set *set)
{
    return store_save_orders(db, arena, order_set_list(set, arena), set->count);
}

static const struct statement LIST = {
    "order_list",
    "SELECT id FROM orders WHERE user_id = $1::bigint AND id < $2::bigint"
    " AND ($3::bigint = 0 OR status = $3::bigint) ORDER BY id DESC LIMIT $4::bigint",
};

// FAILED, EXPIRED, CANCELLED and REFUNDED want nothing any more.
static const struct statement FIND_LIVE = {
    "order_find_live",
    "SELECT id FROM orders WHERE id = ANY($1::bigint[]) AND status NOT IN (8, 9, 10, 12)",
};

static void take_ids(const struct rows *rows, struct arena *arena, int64_t **ids, size_t *count)
{
    *count = rows->count;
    *ids = rows_int64s(rows, 0, arena);
}

struct status store_list_orders(struct db *db, struct arena *arena, int64_t user_id, int64_t status,
                                int64_t before_id, int64_t limit, int64_t **ids, size_t *count)
{
    struct rows rows;
    struct status st = db_query(
        db, &LIST, PARAMS(p_int64(user_id), p_int64(before_id), p_int64(status), p_int64(limit)),
        &rows);
    if (!failed(st))
        take_ids(&rows, arena, ids, count);
    return st;
}

struct status store_find_live(struct db *db, struct arena *arena, const int64_t *ids, size_t count,
                              int64_t **live, size_t *live_count)
{
    struct rows rows;
    struct status st = db_query(db, &FIND_LIVE, PARAMS(p_int64s(ids, count)), &rows);
    if (!failed(st))
        take_ids(&rows, arena, live, live_count);
    return st;
}

static const struct statement MAKE_PARTITIONS = {
    "order_make_partitions",
    "SELECT baro_make_partitions($1::text, 2, $2::bigint::integer) IS NULL",
};

// A new partition locks its table against everybody. Each table has a transaction of its own: one that held
// several would wait for who reads them in another order, and he for it.
struct status store_make_partitions(struct db *db)
{
    static const struct {
        const char *parent;
        int64_t fillfactor;
    } TABLES[] = {
        {"orders",          60 },
        {"order_item",      100},
        {"order_history",   100},
        {"payment",         100},
        {"payment_history", 100},
    };
    struct rows rows;
    struct status st = OK;
    for (size_t i = 0; i < COUNT(TABLES) && !failed(st); i++)
        st = db_query(db, &MAKE_PARTITIONS,
                      PARAMS(p_text(TABLES[i].parent), p_int64(TABLES[i].fillfactor)), &rows);
    return st;
}
