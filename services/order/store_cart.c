// Cart lines: one per user and option.

#include "services/order/store.h"

#include "lib/db/columns.h"

#include <assert.h>
#include <stdlib.h>

static const struct statement LOAD = {
    "cart_load",
    "SELECT id, user_id, option_id, quantity FROM cart_item"
    " WHERE user_id = ANY($1::bigint[]) OR id = ANY($2::bigint[]) ORDER BY id",
};

static const struct statement LOCK = {
    "cart_lock",
    "SELECT id, user_id, option_id, quantity FROM cart_item"
    " WHERE user_id = ANY($1::bigint[]) OR id = ANY($2::bigint[]) ORDER BY id FOR UPDATE",
};

static const struct statement INSERT = {
    "cart_insert",
    "INSERT INTO cart_item (user_id, option_id, quantity)"
    " SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])"
    " RETURNING id, user_id, option_id",
};

static const struct statement UPDATE = {
    "cart_update",
    "UPDATE cart_item SET quantity = u.quantity FROM unnest($1::bigint[], $2::bigint[])"
    " AS u(id, quantity) WHERE cart_item.id = u.id",
};

static const struct statement DELETE = {
    "cart_delete",
    "DELETE FROM cart_item WHERE id = ANY($1::bigint[])",
};

struct cart_line *cart_set_find(const struct cart_set *set, int64_t id)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->lines[i].id == id)
            return &set->lines[i];
    return NULL;
}

struct status store_load_cart(struct db *db, struct arena *arena, const int64_t *user_ids,
                              size_t user_count, const int64_t *ids, size_t count, bool locked,
                              struct cart_set *set)
{
    struct rows rows;
    struct status st =
        db_query(db, locked ? &LOCK : &LOAD,
                 PARAMS(p_int64s(user_ids, user_count), p_int64s(ids, count)), &rows);
    if (failed(st))
        return st;
    set->count = rows.count;
    set->lines = arena_array(arena, rows.count + 1, sizeof(*set->lines));
    for (size_t row = 0; row < rows.count; row++)
        set->lines[row] = (struct cart_line){
            .id = rows_int64(&rows, row, 0),
            .user_id = rows_int64(&rows, row, 1),
            .option_id = rows_int64(&rows, row, 2),
            .quantity = rows_int64(&rows, row, 3),
        };
    return OK;
}

static void take_new_ids(const struct rows *rows, struct cart_line *lines, size_t count)
{
    for (size_t row = 0; row < rows->count; row++)
        for (size_t i = 0; i < count; i++)
            if (lines[i].user_id == rows_int64(rows, row, 1) &&
                lines[i].option_id == rows_int64(rows, row, 2))
                lines[i].id = rows_int64(rows, row, 0);
}

static struct status insert_lines(struct db *db, struct arena *arena, struct cart_line *lines,
                                  size_t count)
{
    struct columns columns;
    struct rows rows;
    columns_init(&columns, arena, count, 3, 0, 0);
    for (size_t i = 0; i < count; i++)
        if (!lines[i].id && lines[i].quantity)
            columns_add(&columns,
                        (int64_t[]){lines[i].user_id, lines[i].option_id, lines[i].quantity}, NULL,
                        NULL);
    if (columns.count == 0)
        return OK;
    struct status st = db_query(db, &INSERT,
                                PARAMS(p_int64s(columns.numbers[0], columns.count),
                                       p_int64s(columns.numbers[1], columns.count),
                                       p_int64s(columns.numbers[2], columns.count)),
                                &rows);
    if (!failed(st))
        take_new_ids(&rows, lines, count);
    return st;
}

struct status store_save_cart(struct db *db, struct arena *arena, struct cart_line *lines,
                              size_t count)
{
    struct columns changed;
    int64_t *gone = arena_array(arena, count + 1, sizeof(*gone));
    size_t gone_count = 0;
    columns_init(&changed, arena, count, 2, 0, 0);
    for (size_t i = 0; i < count; i++)
        if (lines[i].id && lines[i].quantity)
            columns_add(&changed, (int64_t[]){lines[i].id, lines[i].quantity}, NULL, NULL);
        else if (lines[i].id)
            gone[gone_count++] = lines[i].id;
    struct status st = columns_queue(&changed, db, &UPDATE);
    if (!failed(st))
        st = store_delete_cart(db, gone, gone_count);
    return failed(st) ? st : insert_lines(db, arena, lines, count);
}

struct status store_delete_cart(struct db *db, const int64_t *ids, size_t count)
{
    return count ? db_queue(db, &DELETE, PARAMS(p_int64s(ids, count))) : OK;
}
