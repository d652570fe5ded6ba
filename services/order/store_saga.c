// Saga rows: written at the start and at the end of each saga, and when something must be durable in
// between. `owner` is one life of one replica; whoever changes a row holds its lock and has checked
// the owner.

#include "services/order/store.h"

#include "lib/base/text.h"
#include "lib/db/columns.h"

#include <stdlib.h>

#define SAGA_COLUMNS                                                                               \
    "id, order_id, created_at, updated_at, attempts, kind, owner, step, state, held, parked,"      \
    " failure_code, failure_reason, failure_message, context, timeline, order_version"

static const struct statement INSERT = {
    "saga_insert",
    "INSERT INTO saga (id, order_id, order_version, created_at, updated_at, lease_until, state,"
    "                  kind, owner, context)"
    " SELECT id, order_id, order_version, baro_time(created_at), baro_time(created_at),"
    "        baro_time(lease_until), 0, kind, owner, context"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS order_id,"
    "              unnest($3::bigint[]) AS order_version, unnest($4::bigint[]) AS created_at,"
    "              unnest($5::bigint[]) AS lease_until, unnest($6::text[]) AS kind,"
    "              unnest($7::text[]) AS owner, unnest($8::bytea[]) AS context) AS u",
};

static const struct statement LOAD = {
    "saga_load",
    "SELECT " SAGA_COLUMNS " FROM saga WHERE id = ANY($1::bigint[]) ORDER BY id",
};

static const struct statement LOAD_OF_ORDERS = {
    "saga_load_of_orders",
    "SELECT " SAGA_COLUMNS " FROM saga WHERE order_id = ANY($1::bigint[]) ORDER BY id",
};

static const struct statement LOCK = {
    "saga_lock",
    "SELECT " SAGA_COLUMNS " FROM saga WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE",
};

static const struct statement UPDATE = {
    "saga_update",
    "UPDATE saga SET updated_at = baro_time(u.updated_at), attempts = u.attempts, state = u.state,"
    "  held = u.held <> 0, parked = u.parked <> 0, failure_code = u.failure_code, step = u.step,"
    "  failure_reason = u.failure_reason, failure_message = u.failure_message,"
    "  timeline = u.timeline"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS updated_at,"
    "              unnest($3::bigint[]) AS attempts, unnest($4::bigint[]) AS state,"
    "              unnest($5::bigint[]) AS held, unnest($6::bigint[]) AS parked,"
    "              unnest($7::bigint[]) AS failure_code, unnest($8::text[]) AS step,"
    "              unnest($9::text[]) AS failure_reason, unnest($10::text[]) AS failure_message,"
    "              unnest($11::bytea[]) AS timeline) AS u"
    " WHERE saga.id = u.id",
};

struct status store_insert_sagas(struct db *db, struct arena *arena, struct saga_row *const *rows,
                                 size_t count, const char *owner, int64_t lease_ms)
{
    struct columns columns;
    columns_init(&columns, arena, count, 5, 2, 1);
    for (size_t i = 0; i < count; i++) {
        const struct saga_row *row = rows[i];
        columns_add(&columns,
                    (int64_t[]){row->id, row->order_id, row->order_version, row->created_at_us,
                                row->created_at_us + lease_ms * 1000},
                    (const char *[]){row->kind, owner}, &row->context);
    }
    return columns_queue(&columns, db, &INSERT);
}

struct status saga_query_send(struct rows *rows, struct db *db, const int64_t *ids, size_t count)
{
    return db_queue_query(db, &LOCK, PARAMS(p_int64s(ids, count)), rows);
}

struct status sagas_of_orders_send(struct rows *rows, struct db *db, const int64_t *order_ids,
                                   size_t count)
{
    return db_queue_query(db, &LOAD_OF_ORDERS, PARAMS(p_int64s(order_ids, count)), rows);
}

static struct bytes copy_bytes(struct arena *arena, struct bytes from)
{
    if (from.data)
        from.data = arena_copy(arena, from.data, from.size);
    return from;
}

static struct status take_failure(const struct rows *rows, size_t row, struct arena *arena)
{
    const char *reason = rows_text(rows, row, 12);
    return (struct status){
        .code = (enum status_code)rows_int64(rows, row, 11),
        .reason = reason ? reason_parse(reason) : REASON_NONE,
        .message = text_copy_if(arena, rows_text(rows, row, 13)),
    };
}

static struct saga_row take_row(const struct rows *rows, size_t row, struct arena *arena)
{
    return (struct saga_row){
        .id = rows_int64(rows, row, 0),
        .order_id = rows_int64(rows, row, 1),
        .created_at_us = rows_int64(rows, row, 2),
        .updated_at_us = rows_int64(rows, row, 3),
        .attempts = rows_int64(rows, row, 4),
        .kind = text_copy(arena, rows_text(rows, row, 5)),
        .owner = text_copy(arena, rows_text(rows, row, 6)),
        .step = text_copy_if(arena, rows_text(rows, row, 7)),
        .state = (enum saga_state)rows_int64(rows, row, 8),
        .held = rows_bool(rows, row, 9),
        .parked = rows_bool(rows, row, 10),
        .failure = take_failure(rows, row, arena),
        .context = copy_bytes(arena, rows_bytes(rows, row, 14)),
        .timeline = copy_bytes(arena, rows_bytes(rows, row, 15)),
        .order_version = rows_int64(rows, row, 16),
    };
}

static int compare_rows(const void *a, const void *b)
{
    const struct saga_row *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

void saga_query_take(const struct rows *rows, struct arena *arena, struct saga_set *set)
{
    set->count = rows->count;
    set->rows = arena_array(arena, rows->count + 1, sizeof(*set->rows));
    for (size_t row = 0; row < rows->count; row++)
        set->rows[row] = take_row(rows, row, arena);
    qsort(set->rows, set->count, sizeof(*set->rows), compare_rows);
}

struct status store_load_sagas(struct db *db, struct arena *arena, const int64_t *ids, size_t count,
                               struct saga_set *set)
{
    struct rows rows;
    struct status st = db_query(db, &LOAD, PARAMS(p_int64s(ids, count)), &rows);
    if (!failed(st))
        saga_query_take(&rows, arena, set);
    return st;
}

struct saga_row *saga_set_find(const struct saga_set *set, int64_t id)
{
    struct saga_row key = {.id = id};
    return bsearch(&key, set->rows, set->count, sizeof(key), compare_rows);
}

struct status store_save_sagas(struct db *db, struct arena *arena, struct saga_row *const *rows,
                               size_t count, int64_t now_us)
{
    struct columns columns;
    columns_init(&columns, arena, count, 7, 3, 1);
    for (size_t i = 0; i < count; i++) {
        const struct saga_row *row = rows[i];
        const char *reason = failed(row->failure) ? reason_word(row->failure.reason) : NULL;
        columns_add(&columns,
                    (int64_t[]){row->id, now_us, row->attempts, (int64_t)row->state, row->held,
                                row->parked, (int64_t)row->failure.code},
                    (const char *[]){row->step, reason, row->failure.message}, &row->timeline);
    }
    return columns_queue(&columns, db, &UPDATE);
}

// Leases change without waiting for anybody: who locks in another order than that of the ids must not wait, or
// two may wait for each other. A row that somebody has locked is being written: it keeps its lease until
// the next round, or until that runs out.
static const struct statement RENEW = {
    "saga_renew",
    "UPDATE saga SET lease_until = baro_now() + $3::bigint * interval '1 millisecond'"
    " WHERE id = ANY(ARRAY(SELECT id FROM saga WHERE id = ANY($2::bigint[]) AND owner = $1::text"
    "   AND state < 2 AND lease_until < baro_now() + $3::bigint * interval '0.5 millisecond'"
    "   ORDER BY id FOR UPDATE SKIP LOCKED))",
};

static const struct statement RELEASE = {
    "saga_release",
    "UPDATE saga SET lease_until = baro_now() WHERE id = ANY(ARRAY(SELECT id FROM saga"
    "   WHERE owner = $1::text AND state < 2 ORDER BY id FOR UPDATE SKIP LOCKED))",
};

static const struct statement EXPIRE = {
    "saga_expire",
    "UPDATE saga SET lease_until = baro_now() WHERE id = $1::bigint AND owner <> $2::text"
    " AND state < 2",
};

static const struct statement TAKE_OVER = {
    "saga_take_over",
    "UPDATE saga SET owner = $1::text,"
    "  lease_until = baro_now() + $2::bigint * interval '1 millisecond'"
    " WHERE id = ANY(ARRAY(SELECT id FROM saga WHERE state < 2 AND (lease_until <= baro_now()"
    "   OR (owner <> $1::text AND split_part(owner, '#', 1) = split_part($1::text, '#', 1)))"
    "   ORDER BY id LIMIT $3::bigint FOR UPDATE SKIP LOCKED))"
    " RETURNING " SAGA_COLUMNS ", baro_now()",
};
enum { TAKEN_OVER_AT = 17 }; // the column after SAGA_COLUMNS

static const struct statement PARK = {
    "saga_park",
    "UPDATE saga SET parked = true, owner = '', updated_at = baro_now(),"
    "  lease_until = baro_now() + $3::bigint * interval '1 millisecond'"
    " WHERE id = ANY(ARRAY(SELECT id FROM saga WHERE id = ANY($2::bigint[]) AND owner = $1::text"
    "   AND state < 2 ORDER BY id FOR UPDATE SKIP LOCKED))",
};

struct status store_renew_leases(struct db *db, const char *owner, const int64_t *ids, size_t count,
                                 int64_t lease_ms)
{
    return db_execute(db, &RENEW, PARAMS(p_text(owner), p_int64s(ids, count), p_int64(lease_ms)),
                      NULL);
}

struct status store_release_leases(struct db *db, const char *owner)
{
    return db_execute(db, &RELEASE, PARAMS(p_text(owner)), NULL);
}

struct status store_expire_lease(struct db *db, int64_t id, const char *owner)
{
    return db_queue(db, &EXPIRE, PARAMS(p_int64(id), p_text(owner)));
}

struct status store_take_over(struct db *db, struct arena *arena, const char *owner,
                              int64_t lease_ms, int64_t limit, struct saga_set *set)
{
    struct rows rows;
    struct status st =
        db_query(db, &TAKE_OVER, PARAMS(p_text(owner), p_int64(lease_ms), p_int64(limit)), &rows);
    if (failed(st))
        return st;
    saga_query_take(&rows, arena, set);
    for (size_t i = 0; i < set->count; i++)
        set->rows[i].age_us = rows_int64(&rows, 0, TAKEN_OVER_AT) - set->rows[i].created_at_us;
    return OK;
}

struct status store_park_sagas(struct db *db, const char *owner, const int64_t *ids, size_t count,
                               int64_t lease_ms)
{
    return db_execute(db, &PARK, PARAMS(p_text(owner), p_int64s(ids, count), p_int64(lease_ms)),
                      NULL);
}

// What is asked for most rarely found has an index of its own: open sagas, those of an order, and those
// that gave everything back. Completed ones are nearly all.
#define LIST_PAGE " AND id < $1::bigint ORDER BY id DESC LIMIT $2::bigint"
#define LIST_FROM "SELECT " SAGA_COLUMNS " FROM saga WHERE "

static const struct statement LIST_ALL = {
    "saga_list_all",
    LIST_FROM "($3::bigint < 0 OR state = $3::bigint) AND (NOT $4::boolean OR parked)"
              " AND $5::bigint = 0" LIST_PAGE,
};

static const struct statement LIST_OPEN = {
    "saga_list_open",
    LIST_FROM "state < 2 AND ($3::bigint < 0 OR state = $3::bigint)"
              " AND (NOT $4::boolean OR parked) AND $5::bigint = 0" LIST_PAGE,
};

static const struct statement LIST_COMPENSATED = {
    "saga_list_compensated",
    LIST_FROM "state = 3 AND $3::bigint = 3 AND NOT $4::boolean AND $5::bigint = 0" LIST_PAGE,
};

static const struct statement LIST_OF_ORDER = {
    "saga_list_of_order",
    LIST_FROM "order_id = $5::bigint AND ($3::bigint < 0 OR state = $3::bigint)"
              " AND (NOT $4::boolean OR parked)" LIST_PAGE,
};

// Only open sagas are parked.
static const struct statement *list_statement(const struct saga_query *query)
{
    if (query->order_id)
        return &LIST_OF_ORDER;
    if (query->parked || query->state == SAGA_RUNNING || query->state == SAGA_COMPENSATING)
        return &LIST_OPEN;
    return query->state == SAGA_COMPENSATED ? &LIST_COMPENSATED : &LIST_ALL;
}

static const struct statement PRUNE = {
    "saga_prune",
    "DELETE FROM saga WHERE id = ANY(ARRAY(SELECT id FROM saga WHERE state >= 2"
    " AND updated_at < baro_now() - $1::bigint * interval '1 millisecond'"
    " ORDER BY id LIMIT $2::bigint))",
};

struct status store_list_sagas(struct db *db, struct arena *arena, const struct saga_query *query,
                               struct saga_set *set)
{
    struct rows rows;
    struct status st =
        db_query(db, list_statement(query),
                 PARAMS(p_int64(query->before_id), p_int64(query->limit), p_int64(query->state),
                        p_bool(query->parked), p_int64(query->order_id)),
                 &rows);
    if (!failed(st))
        saga_query_take(&rows, arena, set);
    return st;
}

struct status store_prune_sagas(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    return db_execute(db, &PRUNE, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}
