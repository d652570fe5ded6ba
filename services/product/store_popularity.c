// SQL of what sells: the hours, the ranking over a window of them, and the snapshots.

#include "services/product/store.h"

#include "lib/base/text.h"
#include "lib/db/columns.h"

// An option may be in the events of one lot more than once; an INSERT touches a row once.
#define SALES                                                                                      \
    " SELECT hour, product_id, option_id, sum(units)::bigint AS units, max(paid_at) AS paid_at"    \
    " FROM (SELECT baro_time(u.hour) AS hour, u.product_id, u.option_id, u.units,"                 \
    "              baro_time(u.paid_at) AS paid_at"                                                \
    "       FROM (SELECT unnest($1::bigint[]) AS hour, unnest($2::bigint[]) AS product_id,"        \
    "                    unnest($3::bigint[]) AS option_id, unnest($4::bigint[]) AS units,"        \
    "                    unnest($5::bigint[]) AS paid_at) AS u) s"                                 \
    " GROUP BY hour, product_id, option_id"

static const struct statement ADD_SALES = {
    "popularity_add_sales",
    "INSERT INTO sales_hour AS h (hour, product_id, option_id, units, last_paid_at)" SALES
    " ON CONFLICT (hour, product_id, option_id) DO UPDATE SET units = h.units + excluded.units,"
    "    last_paid_at = greatest(h.last_paid_at, excluded.last_paid_at)"};

// What was counted is never less than what is given back, unless the payment is older than the first
// event that this service ever read.
static const struct statement TAKE_SALES_BACK = {
    "popularity_take_sales_back",
    "UPDATE sales_hour h SET units = greatest(h.units - s.units, 0) FROM (" SALES ") s"
    " WHERE h.hour = s.hour AND h.product_id = s.product_id AND h.option_id = s.option_id"};

static struct status queue_sales(struct db *db, const struct statement *statement,
                                 struct arena *arena, const struct sale *sales, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 5, 0, 0);
    for (size_t i = 0; i < count; i++)
        columns_add(&columns,
                    (int64_t[]){hour_of(sales[i].paid_at_us), sales[i].product_id,
                                sales[i].option_id, sales[i].units, sales[i].paid_at_us},
                    NULL, NULL);
    return columns_queue(&columns, db, statement);
}

struct status store_add_sales(struct db *db, struct arena *arena, const struct sale *sales,
                              size_t count)
{
    return queue_sales(db, &ADD_SALES, arena, sales, count);
}

struct status store_take_sales_back(struct db *db, struct arena *arena, const struct sale *sales,
                                    size_t count)
{
    return queue_sales(db, &TAKE_SALES_BACK, arena, sales, count);
}

// The order of SPEC 6, among products that people can find. Parameters: window, limit.
#define RANKING                                                                                    \
    " SELECT row_number() OVER popular AS rank, p.id, p.name, p.price, s.units, s.last_paid_at"    \
    " FROM (SELECT product_id, sum(units)::bigint AS units, max(last_paid_at) AS last_paid_at"     \
    "       FROM sales_hour WHERE hour >= baro_time($1::bigint) AND hour < baro_time($2::bigint)"  \
    "                       AND units > 0 GROUP BY product_id) s"                                  \
    " JOIN product p ON p.id = s.product_id AND p.is_active AND p.deleted_at IS NULL"              \
    " WINDOW popular AS (ORDER BY s.units DESC, s.last_paid_at DESC, p.id)"                        \
    " ORDER BY rank LIMIT $3::bigint"

static const struct statement RANK = {"popularity_rank", RANKING};

static const struct statement READ_SNAPSHOT = {
    "popularity_read_snapshot",
    "SELECT rank, product_id, name, price, units_sold, last_paid_at FROM popular_snapshot_row"
    " WHERE day = (baro_time($1::bigint) AT TIME ZONE 'UTC')::date ORDER BY rank"
    " LIMIT $2::bigint"};

static void read_ranking(const struct rows *rows, struct arena *arena, struct ranked **ranking,
                         size_t *count)
{
    struct ranked *lines = arena_array(arena, rows->count + 1, sizeof(*lines));
    for (size_t i = 0; i < rows->count; i++)
        lines[i] = (struct ranked){
            .rank = rows_int64(rows, i, 0),
            .product_id = rows_int64(rows, i, 1),
            .name = text_copy(arena, rows_text(rows, i, 2)),
            .price_won = rows_int64(rows, i, 3),
            .units_sold = rows_int64(rows, i, 4),
            .last_paid_at_us = rows_int64(rows, i, 5),
        };
    *ranking = lines;
    *count = rows->count;
}

struct status store_rank(struct db *db, struct arena *arena, const struct popular_query *query,
                         struct ranked **ranking, size_t *count)
{
    struct rows rows;
    struct status st = query->of_snapshot
                           ? db_query(db, &READ_SNAPSHOT,
                                      PARAMS(p_int64(query->day_us), p_int64(query->limit)), &rows)
                           : db_query(db, &RANK,
                                      PARAMS(p_int64(query->window.from_us),
                                             p_int64(query->window.to_us), p_int64(query->limit)),
                                      &rows);
    if (!failed(st))
        read_ranking(&rows, arena, ranking, count);
    return st;
}

// Of several that try at once the first inserts; the others wait for its end and find the row.
static const struct statement CLAIM_SNAPSHOT = {
    "popularity_claim_snapshot",
    "INSERT INTO popular_snapshot (day) VALUES ((baro_time($1::bigint) AT TIME ZONE 'UTC')::date)"
    " ON CONFLICT DO NOTHING"};

static const struct statement FILL_SNAPSHOT = {
    "popularity_fill_snapshot",
    "INSERT INTO popular_snapshot_row"
    " (day, rank, product_id, name, price, units_sold, last_paid_at)"
    " SELECT (baro_time($4::bigint) AT TIME ZONE 'UTC')::date, r.* FROM (" RANKING ") r"};

struct status store_claim_snapshot(struct db *db, int64_t day_us, bool *ours)
{
    int64_t inserted = 0;
    struct status st = db_execute(db, &CLAIM_SNAPSHOT, PARAMS(p_int64(day_us)), &inserted);
    if (!failed(st))
        *ours = inserted > 0;
    return st;
}

struct status store_fill_snapshot(struct db *db, int64_t day_us, struct window window,
                                  int64_t limit)
{
    return db_queue(
        db, &FILL_SNAPSHOT,
        PARAMS(p_int64(window.from_us), p_int64(window.to_us), p_int64(limit), p_int64(day_us)));
}

static const struct statement PRUNE_SALES = {
    "popularity_prune_sales",
    "DELETE FROM sales_hour WHERE ctid = ANY (ARRAY("
    " SELECT ctid FROM sales_hour WHERE hour < baro_now() - $1::bigint * interval '1 ms'"
    " LIMIT $2::bigint))"};

struct status store_prune_sales(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    return db_execute(db, &PRUNE_SALES, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}
