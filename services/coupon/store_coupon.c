// The coupons that users have, and their history.

#include "services/coupon/store_private.h"

#include "lib/db/columns.h"

#define COUPON_COLUMNS                                                                             \
    "u.id, u.user_id, u.rank, u.status, u.order_id, u.discount, u.issued_at, u.expires_at,"        \
    " u.held_until, u.used_at, " CAMPAIGN_COLUMNS
enum { COUPON_COLUMN_COUNT = 10 };

static struct status read_coupons(const struct rows *rows, struct arena *arena,
                                  struct user_coupon **coupons, size_t *count)
{
    struct campaign *campaigns = arena_array(arena, rows->count, sizeof(*campaigns));
    *coupons = arena_array(arena, rows->count, sizeof(**coupons));
    *count = rows->count;
    for (size_t i = 0; i < rows->count; i++) {
        store_read_campaign(rows, i, COUPON_COLUMN_COUNT, arena, &campaigns[i]);
        (*coupons)[i] = (struct user_coupon){
            .id = rows_int64(rows, i, 0),
            .user_id = rows_int64(rows, i, 1),
            .rank = rows_int64(rows, i, 2),
            .status = coupon_status_parse(rows_text(rows, i, 3)),
            .order_id = rows_int64(rows, i, 4),
            .discount_won = rows_int64(rows, i, 5),
            .issued_at_us = rows_int64(rows, i, 6),
            .expires_at_us = rows_int64(rows, i, 7),
            .held_until_us = rows_int64(rows, i, 8),
            .used_at_us = rows_int64(rows, i, 9),
            .campaign = &campaigns[i],
        };
    }
    return OK;
}

static const struct statement LOCK_COUPONS = {
    "coupon_lock_coupons",
    "SELECT " COUPON_COLUMNS " FROM user_coupon u JOIN campaign c ON c.id = u.campaign_id"
    " WHERE u.id = ANY ($1::bigint[])"
    "    OR u.order_id = ANY ($2::bigint[]) AND u.status IN ('HELD', 'USED')"
    " ORDER BY u.id FOR UPDATE OF u"};

// By a statement after the lock: what whoever had it before has noted is seen.
static const struct statement FIND_GIVEN_BACK = {
    "coupon_find_given_back",
    "SELECT order_id FROM coupon_given_back WHERE order_id = ANY ($1::bigint[])"};

struct status store_lock_coupons(struct db *db, struct arena *arena,
                                 const struct coupon_query *query, struct user_coupon **coupons,
                                 size_t *count, struct order_list *given_back)
{
    struct rows rows, orders;
    param of_orders = p_int64s(query->order_ids, query->order_count);
    struct status st = db_queue_query(db, &LOCK_COUPONS,
                                      PARAMS(p_int64s(query->ids, query->count), of_orders), &rows);
    if (!failed(st) && given_back)
        st = db_queue_query(db, &FIND_GIVEN_BACK, PARAMS(of_orders), &orders);
    if (!failed(st))
        st = db_flush(db);
    if (failed(st))
        return st;
    if (given_back)
        *given_back = (struct order_list){rows_int64s(&orders, 0, arena), orders.count};
    return read_coupons(&rows, arena, coupons, count);
}

static const struct statement NOTE_GIVEN_BACK = {
    "coupon_note_given_back", "INSERT INTO coupon_given_back (order_id)"
                              " SELECT DISTINCT id FROM unnest($1::bigint[]) AS u (id) ORDER BY id"
                              " ON CONFLICT DO NOTHING"};

struct status store_note_given_back(struct db *db, const int64_t *order_ids, size_t count)
{
    return count ? db_queue(db, &NOTE_GIVEN_BACK, PARAMS(p_int64s(order_ids, count))) : OK;
}

static const struct statement PRUNE_GIVEN_BACK = {
    "coupon_prune_given_back",
    "DELETE FROM coupon_given_back WHERE order_id = ANY(ARRAY(SELECT order_id FROM"
    " coupon_given_back WHERE given_back_at < baro_now() - $1::bigint * interval '1 ms'"
    " LIMIT $2::bigint))"};

struct status store_prune_given_back(struct db *db, int64_t keep_ms, int64_t limit,
                                     int64_t *deleted)
{
    return db_execute(db, &PRUNE_GIVEN_BACK, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}

static const struct statement APPEND_HISTORY = {
    "coupon_append_history",
    "INSERT INTO user_coupon_history (user_coupon_id, change, order_id, at)"
    " SELECT n.id, n.change, n.order_id, baro_time($4::bigint)"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS order_id,"
    "              unnest($3::text[]) AS change) AS n"};

struct status store_append_history(struct db *db, struct arena *arena,
                                   const struct coupon_entry *entries, size_t count, int64_t now_us)
{
    struct columns columns;
    columns_init(&columns, arena, count, 2, 1, 0);
    for (size_t i = 0; i < count; i++)
        columns_add(&columns, (int64_t[]){entries[i].coupon_id, db_or_null(entries[i].order_id)},
                    &entries[i].change, NULL);
    return columns_queue_with(&columns, db, &APPEND_HISTORY, PARAMS(p_int64(now_us)));
}

static const struct statement UPDATE_COUPONS = {
    "coupon_update_coupons",
    "UPDATE user_coupon u SET status = n.status, order_id = n.order_id, discount = n.discount,"
    "       held_until = baro_time(n.held_until), used_at = baro_time(n.used_at)"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS order_id,"
    "              unnest($3::bigint[]) AS discount, unnest($4::bigint[]) AS held_until,"
    "              unnest($5::bigint[]) AS used_at, unnest($6::text[]) AS status) AS n"
    " WHERE u.id = n.id"};

static struct status update_coupons(struct db *db, struct arena *arena,
                                    const struct user_coupon *coupons, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 5, 1, 0);
    for (size_t i = 0; i < count; i++) {
        const struct user_coupon *c = &coupons[i];
        if (c->changed)
            columns_add(&columns,
                        (int64_t[]){c->id, db_or_null(c->order_id), c->discount_won,
                                    db_or_null(c->held_until_us), db_or_null(c->used_at_us)},
                        (const char *[]){coupon_status_name(c->status)}, NULL);
    }
    return columns_queue(&columns, db, &UPDATE_COUPONS);
}

struct status store_save_coupons(struct db *db, struct arena *arena,
                                 const struct user_coupon *coupons, size_t count,
                                 const struct coupon_entry *entries, size_t entry_count,
                                 int64_t now_us)
{
    struct status st = update_coupons(db, arena, coupons, count);
    return failed(st) ? st : store_append_history(db, arena, entries, entry_count, now_us);
}

static const struct statement LIST_COUPONS = {
    "coupon_list_coupons",
    "SELECT " COUPON_COLUMNS " FROM user_coupon u JOIN campaign c ON c.id = u.campaign_id"
    " WHERE u.user_id = $1::bigint AND u.id < $2::bigint"
    " AND ($3::text IS NULL OR u.status = $3::text)"
    " ORDER BY u.id DESC LIMIT $4::bigint"};

struct status store_list_coupons(struct db *db, struct arena *arena, int64_t user_id,
                                 enum coupon_status status, int64_t below_id, int64_t limit,
                                 struct user_coupon **coupons, size_t *count)
{
    struct rows rows;
    struct status st =
        db_query(db, &LIST_COUPONS,
                 PARAMS(p_int64(user_id), p_int64(below_id),
                        p_text(status ? coupon_status_name(status) : NULL), p_int64(limit)),
                 &rows);
    return failed(st) ? st : read_coupons(&rows, arena, coupons, count);
}

static const struct statement EXPIRE_COUPONS = {
    "coupon_expire_coupons",
    "WITH due AS ("
    "  SELECT id FROM user_coupon WHERE status = 'AVAILABLE' AND expires_at <= baro_now()"
    "  ORDER BY id LIMIT $1::bigint FOR UPDATE SKIP LOCKED),"
    " expired AS ("
    "  UPDATE user_coupon u SET status = 'EXPIRED' FROM due WHERE u.id = due.id RETURNING u.id)"
    " INSERT INTO user_coupon_history (user_coupon_id, change, at)"
    " SELECT id, 'EXPIRED', baro_now() FROM expired"};

struct status store_expire_coupons(struct db *db, int64_t limit, int64_t *expired)
{
    return db_execute(db, &EXPIRE_COUPONS, PARAMS(p_int64(limit)), expired);
}

static const struct statement CLAIM_STALE_HOLDS = {
    "coupon_claim_stale_holds",
    "WITH due AS ("
    "  SELECT id FROM user_coupon WHERE status = 'HELD' AND held_until <= baro_now()"
    "  ORDER BY id LIMIT $1::bigint FOR UPDATE SKIP LOCKED)"
    " UPDATE user_coupon u SET held_until = baro_now() + $2::bigint * interval '1 millisecond'"
    " FROM due WHERE u.id = due.id RETURNING u.order_id"};

struct status store_claim_stale_holds(struct db *db, struct arena *arena, int64_t limit,
                                      int64_t lease_ms, int64_t **order_ids, size_t *count)
{
    struct rows rows;
    struct status st =
        db_query(db, &CLAIM_STALE_HOLDS, PARAMS(p_int64(limit), p_int64(lease_ms)), &rows);
    if (failed(st))
        return st;
    *order_ids = rows_int64s(&rows, 0, arena);
    *count = rows.count;
    return OK;
}

// Looks again: a saga may have used or restored the coupon since it was claimed.
static const struct statement RELEASE_HOLDS = {
    "coupon_release_holds",
    "WITH held AS ("
    "  SELECT id, order_id FROM user_coupon WHERE order_id = ANY ($1::bigint[]) AND status = 'HELD'"
    "  ORDER BY id FOR UPDATE),"
    " released AS ("
    "  UPDATE user_coupon u"
    "  SET status = 'AVAILABLE', order_id = NULL, discount = 0, held_until = NULL"
    "  FROM held WHERE u.id = held.id RETURNING u.id, held.order_id)"
    " INSERT INTO user_coupon_history (user_coupon_id, change, order_id, at)"
    " SELECT id, 'RESTORED', order_id, baro_now() FROM released"};

struct status store_release_holds(struct db *db, struct arena *arena, const int64_t *order_ids,
                                  size_t count)
{
    (void)arena;
    return db_execute(db, &RELEASE_HOLDS, PARAMS(p_int64s(order_ids, count)), NULL);
}
