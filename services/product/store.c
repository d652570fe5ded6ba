// SQL of the catalogue. Options and images of the products of one answer are read with one statement
// each.

#include "services/product/store.h"

#include "lib/base/text.h"
#include "lib/db/columns.h"

#include <assert.h>
#include <stdlib.h>

// Search is by position, not by pattern: % and _ mean themselves. Pages go by keys that never change
// for `latest`, and by (price, id) or what was sold otherwise, so that rows inserted meanwhile move
// nothing.
#define PRODUCT_COLUMNS                                                                            \
    "SELECT id, name, description, category, is_active, price, created_at, 0::bigint, 0::bigint"   \
    " FROM product"
#define LISTED                                                                                     \
    " WHERE is_active AND deleted_at IS NULL"                                                      \
    " AND ($1::text = '' OR strpos(lower(name), lower($1)) > 0"                                    \
    "                    OR strpos(lower(description), lower($1)) > 0)"                            \
    " AND ($2::text = '' OR category = $2)"

static const struct statement LIST_LATEST = {
    "product_list_latest",
    PRODUCT_COLUMNS LISTED " AND ($3::bool OR id < $5::bigint)"
                           " AND $4::bigint IS NOT NULL ORDER BY id DESC LIMIT $6::bigint"};

static const struct statement LIST_CHEAPEST = {
    "product_list_cheapest",
    PRODUCT_COLUMNS LISTED " AND ($3::bool OR (price, id) > ($4::bigint, $5::bigint))"
                           " ORDER BY price, id LIMIT $6::bigint"};

static const struct statement LIST_DEAREST = {
    "product_list_dearest",
    PRODUCT_COLUMNS LISTED " AND ($3::bool OR (price, id) < ($4::bigint, $5::bigint))"
                           " ORDER BY price DESC, id DESC LIMIT $6::bigint"};

// The order of a ranking (store_popularity.c), then what did not sell (0 units at time 0), the latest
// first.
static const struct statement LIST_POPULAR = {
    "product_list_popular",
    "SELECT id, name, description, category, is_active, price, created_at, sold, paid_us"
    " FROM (SELECT p.*, coalesce(s.sold, 0) AS sold, coalesce(s.paid_us, 0) AS paid_us,"
    "              CASE WHEN s.sold IS NULL THEN -p.id ELSE p.id END AS place"
    "       FROM product p LEFT JOIN ("
    "         SELECT product_id, sum(units)::bigint AS sold,"
    "                (extract(epoch FROM max(last_paid_at)) * 1000000)::bigint AS paid_us"
    "         FROM sales_hour WHERE hour >= baro_time($7::bigint) AND hour < baro_time($8::bigint)"
    "                         AND units > 0 GROUP BY product_id) s ON s.product_id = p.id"
    "      ) product" LISTED " AND ($3::bool OR (-sold, -paid_us, place) >"
    "      (-$4::bigint, -$5::bigint, CASE WHEN $4 = 0 THEN -$6::bigint ELSE $6 END))"
    " ORDER BY -sold, -paid_us, place LIMIT $9::bigint"};

static const struct statement *const LISTS[] = {
    [SORT_LATEST] = &LIST_LATEST,
    [SORT_PRICE_ASC] = &LIST_CHEAPEST,
    [SORT_PRICE_DESC] = &LIST_DEAREST,
};

static const struct statement FIND_PRODUCTS = {
    "product_find",
    PRODUCT_COLUMNS " WHERE id = ANY($1::bigint[]) AND deleted_at IS NULL ORDER BY id"};

static const struct statement LOCK_PRODUCT = {
    "product_lock",
    PRODUCT_COLUMNS " WHERE id = $1::bigint AND deleted_at IS NULL FOR NO KEY UPDATE"};

static const struct statement FIND_PRODUCT_OF_OPTION = {
    "product_find_of_option", "SELECT product_id FROM product_option WHERE id = $1::bigint"};

static const struct statement FIND_OPTIONS = {
    "product_find_options", "SELECT id, product_id, name, price, total, held FROM product_option"
                            " WHERE product_id = ANY($1::bigint[]) ORDER BY product_id, id"};

static const struct statement FIND_IMAGES = {"product_find_images",
                                             "SELECT product_id, url, sequence FROM product_image"
                                             " WHERE product_id = ANY($1::bigint[])"
                                             " ORDER BY product_id, sequence, position"};

static struct product *read_products(const struct rows *rows, struct arena *arena)
{
    struct product *products = arena_array(arena, rows->count + 1, sizeof(*products));
    for (size_t i = 0; i < rows->count; i++)
        products[i] = (struct product){
            .id = rows_int64(rows, i, 0),
            .name = text_copy(arena, rows_text(rows, i, 1)),
            .description = text_copy(arena, rows_text(rows, i, 2)),
            .category = text_copy(arena, rows_text(rows, i, 3)),
            .is_active = rows_bool(rows, i, 4),
            .price_won = rows_int64(rows, i, 5),
            .created_at_us = rows_int64(rows, i, 6),
            .units_sold = rows_int64(rows, i, 7),
            .last_paid_at_us = rows_int64(rows, i, 8),
        };
    return products;
}

static struct product *find_by_id(struct product *products, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (products[i].id == id)
            return &products[i];
    assert(false && "asked for by id");
    return NULL;
}

// Options of one product stand together: each product gets its stretch of one array.
static void give_options(const struct rows *rows, struct arena *arena, struct product *products,
                         size_t count)
{
    struct option *options = arena_array(arena, rows->count + 1, sizeof(*options));
    for (size_t i = 0; i < rows->count; i++) {
        options[i] = (struct option){
            .id = rows_int64(rows, i, 0),
            .product_id = rows_int64(rows, i, 1),
            .name = text_copy(arena, rows_text(rows, i, 2)),
            .price_won = rows_int64(rows, i, 3),
            .total = rows_int64(rows, i, 4),
            .held = rows_int64(rows, i, 5),
        };
        struct product *product = find_by_id(products, count, options[i].product_id);
        if (product->option_count++ == 0)
            product->options = &options[i];
    }
}

static void give_images(const struct rows *rows, struct arena *arena, struct product *products,
                        size_t count)
{
    struct image *images = arena_array(arena, rows->count + 1, sizeof(*images));
    for (size_t i = 0; i < rows->count; i++) {
        struct product *product = find_by_id(products, count, rows_int64(rows, i, 0));
        images[i] = (struct image){.url = text_copy(arena, rows_text(rows, i, 1)),
                                   .sequence = rows_int64(rows, i, 2)};
        if (product->image_count++ == 0)
            product->images = &images[i];
    }
}

static struct status load_parts(struct db *db, struct arena *arena, struct product *products,
                                size_t count)
{
    int64_t *ids = arena_array(arena, count + 1, sizeof(*ids));
    struct rows rows;
    if (count == 0)
        return OK;
    for (size_t i = 0; i < count; i++)
        ids[i] = products[i].id;
    struct status st = db_query(db, &FIND_OPTIONS, PARAMS(p_int64s(ids, count)), &rows);
    if (failed(st))
        return st;
    give_options(&rows, arena, products, count);
    st = db_query(db, &FIND_IMAGES, PARAMS(p_int64s(ids, count)), &rows);
    if (!failed(st))
        give_images(&rows, arena, products, count);
    return st;
}

// Loads what the statement finds, whole.
static struct status load_products(struct db *db, struct arena *arena,
                                   const struct statement *statement, struct params params,
                                   struct product **products, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, statement, params, &rows);
    if (failed(st))
        return st;
    struct product *read = read_products(&rows, arena);
    st = load_parts(db, arena, read, rows.count);
    if (failed(st))
        return st;
    *products = read;
    *count = rows.count;
    return OK;
}

static struct status list_popular(struct db *db, struct arena *arena,
                                  const struct product_query *query, struct product **products,
                                  size_t *count)
{
    return load_products(db, arena, &LIST_POPULAR,
                         PARAMS(p_text(query->search), p_text(query->category),
                                p_bool(query->from_start), p_int64(query->after_units),
                                p_int64(query->after_paid_at_us), p_int64(query->after_id),
                                p_int64(query->popular.from_us), p_int64(query->popular.to_us),
                                p_int64(query->limit)),
                         products, count);
}

struct status store_list_products(struct db *db, struct arena *arena,
                                  const struct product_query *query, struct product **products,
                                  size_t *count)
{
    if (query->sort == SORT_POPULAR)
        return list_popular(db, arena, query, products, count);
    return load_products(db, arena, LISTS[query->sort],
                         PARAMS(p_text(query->search), p_text(query->category),
                                p_bool(query->from_start), p_int64(query->after_price),
                                p_int64(query->after_id), p_int64(query->limit)),
                         products, count);
}

struct status store_find_products(struct db *db, struct arena *arena, const int64_t *ids,
                                  size_t id_count, struct product **products, size_t *count)
{
    return load_products(db, arena, &FIND_PRODUCTS, PARAMS(p_int64s(ids, id_count)), products,
                         count);
}

struct status store_lock_product(struct db *db, struct arena *arena, int64_t id,
                                 struct product **product)
{
    struct product *products = NULL;
    size_t count = 0;
    struct status st =
        load_products(db, arena, &LOCK_PRODUCT, PARAMS(p_int64(id)), &products, &count);
    if (!failed(st))
        *product = count ? products : NULL;
    return st;
}

struct status store_lock_product_of_option(struct db *db, struct arena *arena, int64_t option_id,
                                           struct product **product)
{
    struct rows rows;
    struct status st = db_query(db, &FIND_PRODUCT_OF_OPTION, PARAMS(p_int64(option_id)), &rows);
    if (failed(st))
        return st;
    if (rows.count)
        return store_lock_product(db, arena, rows_int64(&rows, 0, 0), product);
    *product = NULL;
    return OK;
}

static const struct statement INSERT_PRODUCT = {
    "product_insert", "INSERT INTO product (name, description, category, is_active, price)"
                      " VALUES ($1::text, $2::text, $3::text, $4::bool, $5::bigint)"
                      " RETURNING id, created_at"};

struct status store_insert_product(struct db *db, struct product *product)
{
    struct rows rows;
    struct status st = db_query(db, &INSERT_PRODUCT,
                                PARAMS(p_text(product->name), p_text(product->description),
                                       p_text(product->category), p_bool(product->is_active),
                                       p_int64(product_lowest_price(product))),
                                &rows);
    if (failed(st))
        return st;
    product->id = rows_int64(&rows, 0, 0);
    product->created_at_us = rows_int64(&rows, 0, 1);
    return OK;
}

static const struct statement UPDATE_PRODUCT = {
    "product_update", "UPDATE product SET name = $2::text, description = $3::text,"
                      " category = $4::text, is_active = $5::bool, price = $6::bigint"
                      " WHERE id = $1::bigint"};

struct status store_update_product(struct db *db, const struct product *product)
{
    return db_queue(db, &UPDATE_PRODUCT,
                    PARAMS(p_int64(product->id), p_text(product->name),
                           p_text(product->description), p_text(product->category),
                           p_bool(product->is_active), p_int64(product_lowest_price(product))));
}

static const struct statement DELETE_PRODUCT = {"product_delete",
                                                "UPDATE product SET deleted_at = baro_now()"
                                                " WHERE id = $1::bigint AND deleted_at IS NULL"};

struct status store_delete_product(struct db *db, int64_t id, bool *found)
{
    int64_t affected = 0;
    struct status st = db_execute(db, &DELETE_PRODUCT, PARAMS(p_int64(id)), &affected);
    if (!failed(st))
        *found = affected > 0;
    return st;
}

// Ids come back in the order in which the rows went in, since they are drawn from a sequence there.
static const struct statement INSERT_OPTIONS = {
    "product_insert_options", "INSERT INTO product_option (product_id, name, price, total)"
                              " SELECT $4::bigint, v.name, v.price, v.total"
                              " FROM unnest($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY"
                              "      AS v (price, total, name, position) ORDER BY v.position"
                              " RETURNING id"};

static const struct statement INSERT_FIRST_MOVEMENTS = {
    "product_insert_first_movements",
    "INSERT INTO stock_movement (option_id, delta, kind)"
    " SELECT v.id, v.total, 'INITIAL' FROM unnest($1::bigint[], $2::bigint[]) AS v (id, total)"
    " WHERE v.total > 0"};

static struct status insert_first_movements(struct db *db, struct arena *arena,
                                            const struct option *options, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 2, 0, 0);
    for (size_t i = 0; i < count; i++)
        columns_add(&columns, (int64_t[]){options[i].id, options[i].total}, NULL, NULL);
    return columns_queue(&columns, db, &INSERT_FIRST_MOVEMENTS);
}

struct status store_insert_options(struct db *db, struct arena *arena, int64_t product_id,
                                   struct option *options, size_t count)
{
    struct columns columns;
    struct rows rows;
    columns_init(&columns, arena, count, 2, 1, 0);
    for (size_t i = 0; i < count; i++)
        columns_add(&columns, (int64_t[]){options[i].price_won, options[i].total},
                    (const char *[]){options[i].name}, NULL);
    struct status st =
        db_query(db, &INSERT_OPTIONS, columns_params(&columns, PARAMS(p_int64(product_id))), &rows);
    if (failed(st))
        return st;
    assert(rows.count == count);
    for (size_t i = 0; i < count; i++) {
        options[i].product_id = product_id;
        options[i].id = rows_int64(&rows, i, 0);
    }
    return insert_first_movements(db, arena, options, count);
}

static const struct statement UPDATE_OPTION = {
    "product_update_option", "UPDATE product_option SET name = $2::text, price = $3::bigint"
                             " WHERE id = $1::bigint"};

struct status store_update_option(struct db *db, const struct option *option)
{
    return db_queue(db, &UPDATE_OPTION,
                    PARAMS(p_int64(option->id), p_text(option->name), p_int64(option->price_won)));
}

static const struct statement DELETE_IMAGES = {
    "product_delete_images", "DELETE FROM product_image WHERE product_id = $1::bigint"};

static const struct statement INSERT_IMAGES = {
    "product_insert_images",
    "INSERT INTO product_image (product_id, position, url, sequence)"
    " SELECT $3::bigint, v.position, v.url, v.sequence"
    " FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS v (sequence, url, position)"};

struct status store_replace_images(struct db *db, struct arena *arena, int64_t product_id,
                                   const struct image *images, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 1, 1, 0);
    for (size_t i = 0; i < count; i++)
        columns_add(&columns, &images[i].sequence, (const char *[]){images[i].url}, NULL);
    struct status st = db_queue(db, &DELETE_IMAGES, PARAMS(p_int64(product_id)));
    if (failed(st))
        return st;
    return columns_queue_with(&columns, db, &INSERT_IMAGES, PARAMS(p_int64(product_id)));
}
