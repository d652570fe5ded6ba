// Rows are locked in id order everywhere, campaigns before coupons.

#include "services/coupon/store.h"

#include "lib/base/text.h"

#include <string.h>

#define CAMPAIGN_COLUMNS                                                                           \
    "c.id, c.name, c.code, c.type, c.value, c.max_discount, c.min_order, c.total_quantity, "       \
    "c.claimed,"                                                                                   \
    " c.starts_at, c.ends_at, c.valid_days, c.last_day, c.epoch"
enum { CAMPAIGN_COLUMN_COUNT = 14 };

static void read_campaign(const struct rows *rows, size_t row, int column, struct arena *arena,
                          struct campaign *campaign)
{
    *campaign = (struct campaign){
        .id = rows_int64(rows, row, column),
        .name = text_copy(arena, rows_text(rows, row, column + 1)),
        .code = text_copy(arena, rows_text(rows, row, column + 2)),
        .type = coupon_type_parse(rows_text(rows, row, column + 3)),
        .value = rows_int64(rows, row, column + 4),
        .max_discount_won = rows_int64(rows, row, column + 5),
        .min_order_won = rows_int64(rows, row, column + 6),
        .total_quantity = rows_int64(rows, row, column + 7),
        .claimed = rows_int64(rows, row, column + 8),
        .starts_at_us = rows_int64(rows, row, column + 9),
        .ends_at_us = rows_int64(rows, row, column + 10),
        .valid_days = rows_int64(rows, row, column + 11),
        .last_day_us = rows_int64(rows, row, column + 12),
        .epoch = rows_int64(rows, row, column + 13),
    };
}

static const struct statement LOAD_CAMPAIGNS = {
    "coupon_load_campaigns",
    "SELECT " CAMPAIGN_COLUMNS " FROM campaign c WHERE c.id = ANY ($1::bigint[]) ORDER BY c.id"};

static const struct statement LOCK_CAMPAIGNS = {
    "coupon_lock_campaigns",
    "SELECT " CAMPAIGN_COLUMNS
    " FROM campaign c WHERE c.id = ANY ($1::bigint[]) ORDER BY c.id FOR UPDATE"};

static struct campaign *read_campaigns(const struct rows *rows, struct arena *arena)
{
    struct campaign *campaigns = arena_array(arena, rows->count, sizeof(*campaigns));
    for (size_t i = 0; i < rows->count; i++)
        read_campaign(rows, i, 0, arena, &campaigns[i]);
    return campaigns;
}

struct status store_lock_campaign(struct db *db, struct arena *arena, int64_t id,
                                  struct campaign **campaign)
{
    struct rows rows;
    struct status st = db_query(db, &LOCK_CAMPAIGNS, PARAMS(p_int64s(&id, 1)), &rows);
    if (!failed(st))
        *campaign = rows.count ? read_campaigns(&rows, arena) : NULL;
    return st;
}

static const struct statement FIND_CLAIMS = {
    "coupon_find_claims",
    "SELECT EXISTS (SELECT FROM user_coupon u"
    "               WHERE u.campaign_id = p.campaign_id AND u.user_id = p.user_id)"
    " FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS p (campaign_id, user_id, place)"
    " ORDER BY p.place"};

// Both travel together, and yet the second sees what a former owner of the lock wrote: each statement
// of a READ COMMITTED transaction has a snapshot of its own.
struct status store_load_claims(struct db *db, struct arena *arena, bool lock,
                                struct claims *claims)
{
    struct rows campaigns, claimed;
    size_t count = claims->count;
    param ids = p_int64s(claims->campaign_ids, count);

    struct status st =
        db_queue_query(db, lock ? &LOCK_CAMPAIGNS : &LOAD_CAMPAIGNS, PARAMS(ids), &campaigns);
    if (!failed(st))
        st = db_query(db, &FIND_CLAIMS, PARAMS(ids, p_int64s(claims->user_ids, count)), &claimed);
    if (failed(st))
        return st;
    claims->campaigns = read_campaigns(&campaigns, arena);
    claims->campaign_count = campaigns.count;
    claims->claimed = arena_array(arena, count, sizeof(*claims->claimed));
    for (size_t i = 0; i < claimed.count; i++)
        claims->claimed[i] = rows_bool(&claimed, i, 0);
    return OK;
}

static const struct statement LIST_CAMPAIGNS = {
    "coupon_list_campaigns",
    "SELECT " CAMPAIGN_COLUMNS ","
    "       EXISTS (SELECT FROM user_coupon u WHERE u.campaign_id = c.id AND u.user_id = "
    "$1::bigint)"
    " FROM campaign c"
    " WHERE c.id < $2::bigint AND baro_now() BETWEEN c.starts_at AND c.ends_at"
    "   AND c.claimed < c.total_quantity"
    " ORDER BY c.id DESC LIMIT $3::bigint"};

struct status store_list_campaigns(struct db *db, struct arena *arena, int64_t user_id,
                                   int64_t below_id, int64_t limit, struct campaign **campaigns,
                                   size_t *found)
{
    struct rows rows;
    struct status st = db_query(db, &LIST_CAMPAIGNS,
                                PARAMS(p_int64(user_id), p_int64(below_id), p_int64(limit)), &rows);
    if (failed(st))
        return st;
    *campaigns = arena_array(arena, rows.count, sizeof(**campaigns));
    *found = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        read_campaign(&rows, i, 0, arena, &(*campaigns)[i]);
        (*campaigns)[i].claimed_by_caller = rows_bool(&rows, i, CAMPAIGN_COLUMN_COUNT);
    }
    return OK;
}

static const struct statement INSERT_CAMPAIGN = {
    "coupon_insert_campaign",
    "INSERT INTO campaign (name, code, type, value, max_discount, min_order, total_quantity, "
    "starts_at,"
    "                      ends_at, valid_days, last_day, created_at)"
    " VALUES ($1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint,"
    "         baro_time($8::bigint), baro_time($9::bigint), $10::bigint, baro_time($11::bigint),"
    "         baro_time($12::bigint))"
    " ON CONFLICT (code) DO NOTHING RETURNING id"};

struct status store_insert_campaign(struct db *db, struct campaign *campaign, int64_t now_us)
{
    struct rows rows;
    struct status st = db_query(
        db, &INSERT_CAMPAIGN,
        PARAMS(p_text(campaign->name), p_text(campaign->code),
               p_text(coupon_type_name(campaign->type)), p_int64(campaign->value),
               p_int64(db_or_null(campaign->max_discount_won)), p_int64(campaign->min_order_won),
               p_int64(campaign->total_quantity), p_int64(campaign->starts_at_us),
               p_int64(campaign->ends_at_us), p_int64(campaign->valid_days),
               p_int64(db_or_null(campaign->last_day_us)), p_int64(now_us)),
        &rows);
    if (failed(st))
        return st;
    if (rows.count == 0)
        return refuse(REASON_CODE_TAKEN, "another campaign has this code");
    campaign->id = rows_int64(&rows, 0, 0);
    return OK;
}

static const struct statement UPDATE_CAMPAIGN = {
    "coupon_update_campaign", "UPDATE campaign SET name = $2::text, total_quantity = $3::bigint, "
                              "starts_at = baro_time($4::bigint),"
                              "                    ends_at = baro_time($5::bigint),"
                              "                    epoch = $6::bigint"
                              " WHERE id = $1::bigint"};

struct status store_update_campaign(struct db *db, const struct campaign *campaign)
{
    return db_queue(db, &UPDATE_CAMPAIGN,
                    PARAMS(p_int64(campaign->id), p_text(campaign->name),
                           p_int64(campaign->total_quantity), p_int64(campaign->starts_at_us),
                           p_int64(campaign->ends_at_us), p_int64(campaign->epoch)));
}

static const struct statement SOLD_OUT = {
    "coupon_sold_out",
    "SELECT id, epoch, (extract(epoch FROM ends_at - baro_now()) * 1000)::bigint FROM campaign"
    " WHERE claimed = total_quantity AND claimed <= $1::bigint"
    "   AND starts_at <= baro_now() AND ends_at > baro_now()"
    " ORDER BY ends_at LIMIT $2::bigint"};

struct status store_sold_out(struct db *db, struct arena *arena, int64_t claimed_max, int64_t limit,
                             struct sold_out_campaign **campaigns, size_t *found)
{
    struct rows rows;
    struct status st = db_query(db, &SOLD_OUT, PARAMS(p_int64(claimed_max), p_int64(limit)), &rows);
    if (failed(st))
        return st;
    *campaigns = arena_array(arena, rows.count, sizeof(**campaigns));
    *found = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        (*campaigns)[i] = (struct sold_out_campaign){
            rows_int64(&rows, i, 0), rows_int64(&rows, i, 1), rows_int64(&rows, i, 2)};
    return OK;
}

static const struct statement OWNERS = {
    "coupon_owners", "SELECT user_id FROM user_coupon WHERE campaign_id = $1::bigint"};

struct status store_owners(struct db *db, struct arena *arena, int64_t campaign_id,
                           int64_t **user_ids, size_t *found)
{
    struct rows rows;
    struct status st = db_query(db, &OWNERS, PARAMS(p_int64(campaign_id)), &rows);
    if (failed(st))
        return st;
    *user_ids = rows_int64s(&rows, 0, arena);
    *found = rows.count;
    return OK;
}

static const struct statement INSERT_COUPONS = {
    "coupon_insert_coupons",
    "INSERT INTO user_coupon (id, campaign_id, user_id, rank, issued_at, expires_at, status)"
    " SELECT n.id, n.campaign_id, n.user_id, n.rank, baro_time($6::bigint), "
    "baro_time(n.expires_at),"
    "        'AVAILABLE'"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS campaign_id,"
    "              unnest($3::bigint[]) AS user_id, unnest($4::bigint[]) AS rank,"
    "              unnest($5::bigint[]) AS expires_at) AS n"
    " ORDER BY n.campaign_id, n.rank"};

static const struct statement APPEND_HISTORY = {
    "coupon_append_history",
    "INSERT INTO user_coupon_history (user_coupon_id, change, order_id, at)"
    " SELECT n.id, n.change, n.order_id, baro_time($4::bigint)"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS change,"
    "              unnest($3::bigint[]) AS order_id) AS n"};

static const struct statement COUNT_CLAIMS = {
    "coupon_count_claims",
    "UPDATE campaign c SET claimed = n.claimed"
    " FROM unnest($1::bigint[], $2::bigint[]) AS n (id, claimed) WHERE c.id = n.id"};

static struct status insert_coupons(struct db *db, struct arena *arena,
                                    const struct user_coupon *coupons, size_t count, int64_t now_us)
{
    int64_t *ids = arena_array(arena, 5 * count, sizeof(*ids));
    int64_t *campaigns = ids + count, *users = campaigns + count, *ranks = users + count;
    int64_t *expiries = ranks + count;

    for (size_t i = 0; i < count; i++) {
        ids[i] = coupons[i].id;
        campaigns[i] = coupons[i].campaign->id;
        users[i] = coupons[i].user_id;
        ranks[i] = coupons[i].rank;
        expiries[i] = coupons[i].expires_at_us;
    }
    return db_queue(db, &INSERT_COUPONS,
                    PARAMS(p_int64s(ids, count), p_int64s(campaigns, count), p_int64s(users, count),
                           p_int64s(ranks, count), p_int64s(expiries, count), p_int64(now_us)));
}

static struct status append_history(struct db *db, struct arena *arena,
                                    const struct coupon_entry *entries, size_t count,
                                    int64_t now_us)
{
    int64_t *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *orders = arena_array(arena, count, sizeof(*orders));
    const char **changes = arena_array(arena, count, sizeof(*changes));

    for (size_t i = 0; i < count; i++) {
        ids[i] = entries[i].coupon_id;
        orders[i] = db_or_null(entries[i].order_id);
        changes[i] = entries[i].change;
    }
    return db_queue(db, &APPEND_HISTORY,
                    PARAMS(p_int64s(ids, count), p_texts(changes, count), p_int64s(orders, count),
                           p_int64(now_us)));
}

static struct status count_claims(struct db *db, struct arena *arena,
                                  const struct campaign *campaigns, size_t count)
{
    int64_t *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *claimed = arena_array(arena, count, sizeof(*claimed));
    size_t changed = 0;

    for (size_t i = 0; i < count; i++) {
        if (!campaigns[i].changed)
            continue;
        ids[changed] = campaigns[i].id;
        claimed[changed++] = campaigns[i].claimed;
    }
    return db_queue(db, &COUNT_CLAIMS, PARAMS(p_int64s(ids, changed), p_int64s(claimed, changed)));
}

struct status store_save_claims(struct db *db, struct arena *arena,
                                const struct user_coupon *coupons, size_t count,
                                const struct campaign *campaigns, size_t campaign_count,
                                int64_t now_us)
{
    if (count == 0)
        return OK;
    struct coupon_entry *entries = arena_array(arena, count, sizeof(*entries));
    for (size_t i = 0; i < count; i++)
        entries[i] = coupon_issued(&coupons[i]);
    struct status st = insert_coupons(db, arena, coupons, count, now_us);
    if (!failed(st))
        st = append_history(db, arena, entries, count, now_us);
    return failed(st) ? st : count_claims(db, arena, campaigns, campaign_count);
}

#define COUPON_COLUMNS                                                                             \
    "u.id, u.user_id, u.rank, u.status, u.order_id, u.discount, u.issued_at, u.expires_at,"        \
    " u.held_until, u.used_at, " CAMPAIGN_COLUMNS
enum { COUPON_COLUMN_COUNT = 10 };

static struct status read_coupons(const struct rows *rows, struct arena *arena,
                                  struct user_coupon **coupons, size_t *found)
{
    struct campaign *campaigns = arena_array(arena, rows->count, sizeof(*campaigns));
    *coupons = arena_array(arena, rows->count, sizeof(**coupons));
    *found = rows->count;
    for (size_t i = 0; i < rows->count; i++) {
        read_campaign(rows, i, COUPON_COLUMN_COUNT, arena, &campaigns[i]);
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
                                 size_t *found, struct order_list *given_back)
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
    return read_coupons(&rows, arena, coupons, found);
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

static const struct statement UPDATE_COUPONS = {
    "coupon_update_coupons",
    "UPDATE user_coupon u SET status = n.status, order_id = n.order_id, discount = n.discount,"
    "       held_until = baro_time(n.held_until), used_at = baro_time(n.used_at)"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS status,"
    "              unnest($3::bigint[]) AS order_id, unnest($4::bigint[]) AS discount,"
    "              unnest($5::bigint[]) AS held_until, unnest($6::bigint[]) AS used_at) AS n"
    " WHERE u.id = n.id"};

static struct status update_coupons(struct db *db, struct arena *arena,
                                    const struct user_coupon *const *of, size_t count)
{
    int64_t *ids = arena_array(arena, 5 * count, sizeof(*ids));
    int64_t *orders = ids + count, *discounts = orders + count, *helds = discounts + count;
    int64_t *useds = helds + count;
    const char **statuses = arena_array(arena, count, sizeof(*statuses));

    for (size_t i = 0; i < count; i++) {
        ids[i] = of[i]->id;
        statuses[i] = coupon_status_name(of[i]->status);
        orders[i] = db_or_null(of[i]->order_id);
        discounts[i] = of[i]->discount_won;
        helds[i] = db_or_null(of[i]->held_until_us);
        useds[i] = db_or_null(of[i]->used_at_us);
    }
    return db_queue(db, &UPDATE_COUPONS,
                    PARAMS(p_int64s(ids, count), p_texts(statuses, count), p_int64s(orders, count),
                           p_int64s(discounts, count), p_int64s(helds, count),
                           p_int64s(useds, count)));
}

struct status store_save_coupons(struct db *db, struct arena *arena,
                                 const struct user_coupon *coupons, size_t count,
                                 const struct coupon_entry *entries, size_t entry_count,
                                 int64_t now_us)
{
    const struct user_coupon **changed = arena_array(arena, count, sizeof(*changed));
    size_t changes = 0;

    for (size_t i = 0; i < count; i++)
        if (coupons[i].changed)
            changed[changes++] = &coupons[i];
    if (changes == 0)
        return OK;
    struct status st = update_coupons(db, arena, changed, changes);
    return failed(st) ? st : append_history(db, arena, entries, entry_count, now_us);
}

static const struct statement LIST_COUPONS = {
    "coupon_list_coupons",
    "SELECT " COUPON_COLUMNS " FROM user_coupon u JOIN campaign c ON c.id = u.campaign_id"
    " WHERE u.user_id = $1::bigint AND u.id < $2::bigint AND ($3::text IS NULL OR u.status = "
    "$3::text)"
    " ORDER BY u.id DESC LIMIT $4::bigint"};

struct status store_list_coupons(struct db *db, struct arena *arena, int64_t user_id,
                                 enum coupon_status status, int64_t below_id, int64_t limit,
                                 struct user_coupon **coupons, size_t *found)
{
    struct rows rows;
    struct status st =
        db_query(db, &LIST_COUPONS,
                 PARAMS(p_int64(user_id), p_int64(below_id),
                        p_text(status ? coupon_status_name(status) : NULL), p_int64(limit)),
                 &rows);
    return failed(st) ? st : read_coupons(&rows, arena, coupons, found);
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
                                      int64_t lease_ms, int64_t **order_ids, size_t *found)
{
    struct rows rows;
    struct status st =
        db_query(db, &CLAIM_STALE_HOLDS, PARAMS(p_int64(limit), p_int64(lease_ms)), &rows);
    if (failed(st))
        return st;
    *order_ids = rows_int64s(&rows, 0, arena);
    *found = rows.count;
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

struct status store_release_holds(struct db *db, const int64_t *order_ids, size_t count)
{
    return db_execute(db, &RELEASE_HOLDS, PARAMS(p_int64s(order_ids, count)), NULL);
}
