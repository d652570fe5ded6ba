// Attempts to pay, and the history of each.

#include "services/order/store.h"

#include "lib/base/text.h"
#include "lib/db/columns.h"

static const struct statement LOAD = {
    "payment_load",
    "SELECT order_id, id, amount, created_at, completed_at, version, status, reason"
    " FROM payment WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, id",
};

static const struct statement LOAD_CHANGES = {
    "payment_load_changes",
    "SELECT order_id, payment_id, from_status, to_status, at, reason FROM payment_history"
    " WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, payment_id, version",
};

struct status store_send_payments(struct db *db, const int64_t *order_ids, size_t count,
                                  struct rows *payments, struct rows *changes)
{
    param wanted = p_int64s(order_ids, count);
    struct status st = db_queue_query(db, &LOAD, PARAMS(wanted), payments);
    return failed(st) ? st : db_queue_query(db, &LOAD_CHANGES, PARAMS(wanted), changes);
}

static struct payment take_payment(const struct rows *rows, size_t row, struct arena *arena)
{
    return (struct payment){
        .order_id = rows_int64(rows, row, 0),
        .id = rows_int64(rows, row, 1),
        .amount_won = rows_int64(rows, row, 2),
        .created_at_us = rows_int64(rows, row, 3),
        .completed_at_us = rows_int64(rows, row, 4),
        .version = rows_int64(rows, row, 5),
        .status = (enum payment_status)rows_int64(rows, row, 6),
        .reason = text_copy_if(arena, rows_text(rows, row, 7)),
        .stored = true,
    };
}

// Rows that share their first `columns` columns with `row`, from it on.
static size_t run_length(const struct rows *rows, size_t row, int columns)
{
    size_t end = row + 1;
    for (; end < rows->count; end++)
        for (int column = 0; column < columns; column++)
            if (rows_int64(rows, end, column) != rows_int64(rows, row, column))
                return end - row;
    return end - row;
}

static struct payment *find_payment(const struct order_set *set, int64_t order_id, int64_t id)
{
    struct order *order = order_set_find(set, order_id);
    for (size_t i = 0; order && i < order->payment_count; i++)
        if (order->payments[i].id == id)
            return &order->payments[i];
    return NULL;
}

static void take_changes(const struct rows *rows, struct arena *arena, struct order_set *set)
{
    for (size_t row = 0, length; row < rows->count; row += length) {
        length = run_length(rows, row, 2);
        struct payment *payment =
            find_payment(set, rows_int64(rows, row, 0), rows_int64(rows, row, 1));
        if (!payment)
            continue;
        payment->change_count = payment->changes_saved = length;
        payment->changes = arena_array(arena, length, sizeof(*payment->changes));
        for (size_t i = 0; i < length; i++)
            payment->changes[i] = (struct payment_change){
                .from = (enum payment_status)rows_int64(rows, row + i, 2),
                .to = (enum payment_status)rows_int64(rows, row + i, 3),
                .at_us = rows_int64(rows, row + i, 4),
                .reason = text_copy_if(arena, rows_text(rows, row + i, 5)),
            };
    }
}

void store_take_payments(const struct rows *payments, const struct rows *changes,
                         struct arena *arena, struct order_set *set)
{
    for (size_t row = 0, length; row < payments->count; row += length) {
        length = run_length(payments, row, 1);
        struct order *order = order_set_find(set, rows_int64(payments, row, 0));
        if (!order)
            continue;
        order->payment_count = length;
        order->payments = arena_array(arena, length, sizeof(*order->payments));
        for (size_t i = 0; i < length; i++)
            order->payments[i] = take_payment(payments, row + i, arena);
    }
    take_changes(changes, arena, set);
}

static const struct statement INSERT = {
    "payment_insert",
    "INSERT INTO payment (id, order_id, amount, created_at, completed_at, version, status, reason)"
    " SELECT id, order_id, amount, baro_time(created_at), baro_time(completed_at), version, status,"
    "        reason"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS order_id,"
    "              unnest($3::bigint[]) AS amount, unnest($4::bigint[]) AS created_at,"
    "              unnest($5::bigint[]) AS completed_at, unnest($6::bigint[]) AS version,"
    "              unnest($7::bigint[]) AS status, unnest($8::text[]) AS reason) AS u",
};

static const struct statement UPDATE = {
    "payment_update",
    "UPDATE payment SET amount = u.amount, completed_at = baro_time(u.completed_at),"
    "  version = u.version, status = u.status, reason = u.reason"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS order_id,"
    "              unnest($3::bigint[]) AS amount, unnest($4::bigint[]) AS completed_at,"
    "              unnest($5::bigint[]) AS version, unnest($6::bigint[]) AS status,"
    "              unnest($7::text[]) AS reason) AS u"
    " WHERE payment.id = u.id AND payment.order_id = u.order_id",
};

static const struct statement INSERT_CHANGES = {
    "payment_insert_changes",
    "INSERT INTO payment_history (order_id, payment_id, version, from_status, to_status, at,"
    "                             reason)"
    " SELECT order_id, payment_id, version, from_status, to_status, baro_time(at), reason"
    " FROM (SELECT unnest($1::bigint[]) AS order_id, unnest($2::bigint[]) AS payment_id,"
    "              unnest($3::bigint[]) AS version, unnest($4::bigint[]) AS from_status,"
    "              unnest($5::bigint[]) AS to_status, unnest($6::bigint[]) AS at,"
    "              unnest($7::text[]) AS reason) AS u",
};

static struct status save_rows(struct db *db, struct arena *arena, struct order *const *orders,
                               size_t count, size_t capacity)
{
    struct columns fresh, changed;
    columns_init(&fresh, arena, capacity, 7, 1, 0);
    columns_init(&changed, arena, capacity, 6, 1, 0);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < orders[i]->payment_count; j++) {
            const struct payment *p = &orders[i]->payments[j];
            int64_t status = (int64_t)p->status, completed_at = db_or_null(p->completed_at_us);
            if (!p->stored)
                columns_add(&fresh,
                            (int64_t[]){p->id, p->order_id, p->amount_won, p->created_at_us,
                                        completed_at, p->version, status},
                            &p->reason, NULL);
            else if (p->change_count > p->changes_saved)
                columns_add(&changed,
                            (int64_t[]){p->id, p->order_id, p->amount_won, completed_at, p->version,
                                        status},
                            &p->reason, NULL);
        }
    struct status st = columns_queue(&fresh, db, &INSERT);
    return failed(st) ? st : columns_queue(&changed, db, &UPDATE);
}

static void add_changes(struct columns *columns, const struct payment *p)
{
    for (size_t i = p->changes_saved; i < p->change_count; i++) {
        const struct payment_change *change = &p->changes[i];
        int64_t version = p->version - (int64_t)(p->change_count - 1 - i);
        columns_add(columns,
                    (int64_t[]){p->order_id, p->id, version, (int64_t)change->from,
                                (int64_t)change->to, change->at_us},
                    &change->reason, NULL);
    }
}

struct status store_save_payments(struct db *db, struct arena *arena, struct order *const *orders,
                                  size_t count)
{
    size_t payments = 0, fresh = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < orders[i]->payment_count; j++, payments++)
            fresh += orders[i]->payments[j].change_count - orders[i]->payments[j].changes_saved;
    struct status st = save_rows(db, arena, orders, count, payments);
    if (failed(st))
        return st;
    struct columns columns;
    columns_init(&columns, arena, fresh, 6, 1, 0);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < orders[i]->payment_count; j++)
            add_changes(&columns, &orders[i]->payments[j]);
    return columns_queue(&columns, db, &INSERT_CHANGES);
}

static const struct statement LIST = {
    "payment_list",
    "SELECT p.order_id, p.id FROM orders o JOIN payment p ON p.order_id = o.id"
    " WHERE o.user_id = $1::bigint AND o.id <= $2::bigint"
    " AND (p.order_id, p.id) < ($2::bigint, $3::bigint)"
    " ORDER BY p.order_id DESC, p.id DESC LIMIT $4::bigint",
};

static const struct statement FIND_LAST = {
    "payment_find_last",
    "SELECT order_id, max(id) FROM payment WHERE order_id = ANY($1::bigint[]) GROUP BY order_id",
};

struct status store_find_last_attempts(struct db *db, struct arena *arena, struct order_set *set)
{
    int64_t *ids = arena_array(arena, set->count + 1, sizeof(*ids));
    struct rows rows;
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->orders[i].saga_id) // an attempt has its saga
            ids[count++] = set->orders[i].id;
    if (count == 0)
        return OK;
    struct status st = db_query(db, &FIND_LAST, PARAMS(p_int64s(ids, count)), &rows);
    for (size_t row = 0; !failed(st) && row < rows.count; row++)
        order_set_find(set, rows_int64(&rows, row, 0))->last_payment_id = rows_int64(&rows, row, 1);
    return st;
}

static const struct statement FIND = {
    "payment_find",
    "SELECT order_id, id FROM payment WHERE id = ANY($1::bigint[])",
};

static void take_keys(const struct rows *rows, struct arena *arena, struct payment_key **keys,
                      size_t *count)
{
    *count = rows->count;
    *keys = arena_array(arena, rows->count + 1, sizeof(**keys));
    for (size_t row = 0; row < rows->count; row++)
        (*keys)[row] = (struct payment_key){rows_int64(rows, row, 0), rows_int64(rows, row, 1)};
}

struct status store_list_payments(struct db *db, struct arena *arena, int64_t user_id,
                                  struct payment_key before, int64_t limit,
                                  struct payment_key **keys, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &LIST,
                                PARAMS(p_int64(user_id), p_int64(before.order_id),
                                       p_int64(before.payment_id), p_int64(limit)),
                                &rows);
    if (!failed(st))
        take_keys(&rows, arena, keys, count);
    return st;
}

struct status store_find_payments(struct db *db, struct arena *arena, const int64_t *ids,
                                  size_t id_count, struct payment_key **keys, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &FIND, PARAMS(p_int64s(ids, id_count)), &rows);
    if (!failed(st))
        take_keys(&rows, arena, keys, count);
    return st;
}
