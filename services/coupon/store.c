// Campaigns and claims. Rows are locked in id order everywhere, campaigns before coupons.

#include "services/coupon/store_private.h"

#include "lib/base/text.h"
#include "lib/db/columns.h"

#include <string.h>

void store_read_campaign(const struct rows *rows, size_t row, int column, struct arena *arena,
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
        store_read_campaign(rows, i, 0, arena, &campaigns[i]);
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
    " EXISTS (SELECT FROM user_coupon u WHERE u.campaign_id = c.id AND u.user_id = $1::bigint)"
    " FROM campaign c"
    " WHERE c.id < $2::bigint AND baro_now() BETWEEN c.starts_at AND c.ends_at"
    "   AND c.claimed < c.total_quantity"
    " ORDER BY c.id DESC LIMIT $3::bigint"};

struct status store_list_campaigns(struct db *db, struct arena *arena, int64_t user_id,
                                   int64_t below_id, int64_t limit, struct campaign **campaigns,
                                   size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &LIST_CAMPAIGNS,
                                PARAMS(p_int64(user_id), p_int64(below_id), p_int64(limit)), &rows);
    if (failed(st))
        return st;
    *campaigns = arena_array(arena, rows.count, sizeof(**campaigns));
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        store_read_campaign(&rows, i, 0, arena, &(*campaigns)[i]);
        (*campaigns)[i].claimed_by_caller = rows_bool(&rows, i, CAMPAIGN_COLUMN_COUNT);
    }
    return OK;
}

static const struct statement INSERT_CAMPAIGN = {
    "coupon_insert_campaign",
    "INSERT INTO campaign (name, code, type, value, max_discount, min_order, total_quantity,"
    " starts_at, ends_at, valid_days, last_day, created_at)"
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
    "coupon_update_campaign",
    "UPDATE campaign SET name = $2::text, total_quantity = $3::bigint, epoch = $6::bigint,"
    " starts_at = baro_time($4::bigint), ends_at = baro_time($5::bigint)"
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
                             struct sold_out_campaign **campaigns, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &SOLD_OUT, PARAMS(p_int64(claimed_max), p_int64(limit)), &rows);
    if (failed(st))
        return st;
    *campaigns = arena_array(arena, rows.count, sizeof(**campaigns));
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        (*campaigns)[i] = (struct sold_out_campaign){
            rows_int64(&rows, i, 0), rows_int64(&rows, i, 1), rows_int64(&rows, i, 2)};
    return OK;
}

static const struct statement OWNERS = {
    "coupon_owners", "SELECT user_id FROM user_coupon WHERE campaign_id = $1::bigint"};

struct status store_owners(struct db *db, struct arena *arena, int64_t campaign_id,
                           int64_t **user_ids, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &OWNERS, PARAMS(p_int64(campaign_id)), &rows);
    if (failed(st))
        return st;
    *user_ids = rows_int64s(&rows, 0, arena);
    *count = rows.count;
    return OK;
}

static const struct statement INSERT_COUPONS = {
    "coupon_insert_coupons",
    "INSERT INTO user_coupon (id, campaign_id, user_id, rank, issued_at, expires_at, status)"
    " SELECT n.id, n.campaign_id, n.user_id, n.rank, baro_time($6::bigint),"
    "        baro_time(n.expires_at), 'AVAILABLE'"
    " FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS campaign_id,"
    "              unnest($3::bigint[]) AS user_id, unnest($4::bigint[]) AS rank,"
    "              unnest($5::bigint[]) AS expires_at) AS n"
    " ORDER BY n.campaign_id, n.rank"};

static struct status insert_coupons(struct db *db, struct arena *arena,
                                    const struct user_coupon *coupons, size_t count, int64_t now_us)
{
    struct columns columns;
    columns_init(&columns, arena, count, 5, 0, 0);
    for (size_t i = 0; i < count; i++) {
        const struct user_coupon *c = &coupons[i];
        columns_add(&columns,
                    (int64_t[]){c->id, c->campaign->id, c->user_id, c->rank, c->expires_at_us},
                    NULL, NULL);
    }
    return columns_queue_with(&columns, db, &INSERT_COUPONS, PARAMS(p_int64(now_us)));
}

static const struct statement COUNT_CLAIMS = {
    "coupon_count_claims",
    "UPDATE campaign c SET claimed = n.claimed"
    " FROM unnest($1::bigint[], $2::bigint[]) AS n (id, claimed) WHERE c.id = n.id"};

static struct status count_claims(struct db *db, struct arena *arena,
                                  const struct campaign *campaigns, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 2, 0, 0);
    for (size_t i = 0; i < count; i++)
        if (campaigns[i].changed)
            columns_add(&columns, (int64_t[]){campaigns[i].id, campaigns[i].claimed}, NULL, NULL);
    return columns_queue(&columns, db, &COUNT_CLAIMS);
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
        st = store_append_history(db, arena, entries, count, now_us);
    return failed(st) ? st : count_claims(db, arena, campaigns, campaign_count);
}
