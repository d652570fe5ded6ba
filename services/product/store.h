#pragma once
// All SQL of the product service. Loaded values live in the arena.

#include "lib/db/db.h"
#include "services/product/catalogue.h"
#include "services/product/popularity.h"
#include "services/product/stock.h"

// Catalogue (store.c)

// The products before (in the sort's order) the row with these keys; `from_start` for the first page.
struct product_query {
    const char *search; // "": all
    const char *category;
    enum product_sort sort;
    bool from_start;
    int64_t after_price; // of sorts by price
    int64_t after_units; // of lists by popularity
    int64_t after_paid_at_us;
    int64_t after_id;
    struct window popular; // what lists by popularity count
    int64_t limit;
};

// Active, undeleted products with their options and images.
struct status store_list_products(struct db *db, struct arena *arena,
                                  const struct product_query *query, struct product **products,
                                  size_t *count);

// Undeleted products by id, with options and images, in the order of their ids.
struct status store_find_products(struct db *db, struct arena *arena, const int64_t *ids,
                                  size_t id_count, struct product **products, size_t *count);

// The same for one, its row locked; *product is NULL when there is none.
struct status store_lock_product(struct db *db, struct arena *arena, int64_t id,
                                 struct product **product);

// Locks the undeleted product of the option; *product is NULL when there is none.
struct status store_lock_product_of_option(struct db *db, struct arena *arena, int64_t option_id,
                                           struct product **product);

// Inserts the product row with its lowest price and sets its id and created_at.
struct status store_insert_product(struct db *db, struct product *product);

// Queues the texts, activity and lowest price of a locked product.
struct status store_update_product(struct db *db, const struct product *product);

// Marks an undeleted product as deleted; *found tells whether there was one.
struct status store_delete_product(struct db *db, int64_t id, bool *found);

// Inserts options of a locked (or new) product, sets their ids, and queues their first movements.
struct status store_insert_options(struct db *db, struct arena *arena, int64_t product_id,
                                   struct option *options, size_t count);

// Queues name and price of an option.
struct status store_update_option(struct db *db, const struct option *option);

// Queues the images in place of those that were there.
struct status store_replace_images(struct db *db, struct arena *arena, int64_t product_id,
                                   const struct image *images, size_t count);

// Stock (store_stock.c)

// What is known of options, without locks; unknown ids are left out. By id.
struct status store_find_stocks(struct db *db, struct arena *arena, const int64_t *option_ids,
                                size_t id_count, struct stock **stocks, size_t *count);

// One option of an undeleted product, locked; *stock is NULL when there is none.
struct status store_lock_stock(struct db *db, struct arena *arena, int64_t option_id,
                               struct stock **stock);

// Locks the options in id order and reads the holds of the orders: for HoldStock. `option_ids` has
// an entry for each line that is wished for. An order that has given back shows one hold that ended.
struct status store_load_book_to_hold(struct db *db, struct arena *arena, const int64_t *option_ids,
                                      size_t option_count, const int64_t *order_ids,
                                      size_t order_count, struct book *book);

// Locks the options that the orders hold, in id order, and reads the holds: for their changes.
struct status store_load_book(struct db *db, struct arena *arena, const int64_t *order_ids,
                              size_t order_count, struct book *book);

// The same for ReleaseStock, which may come before the holds: these options are locked as well.
struct status store_load_book_to_release(struct db *db, struct arena *arena,
                                         const int64_t *option_ids, size_t option_count,
                                         const int64_t *order_ids, size_t order_count,
                                         struct book *book);

// Queues a note that the orders have given back, though nothing was held for them.
struct status store_note_given_back(struct db *db, const int64_t *order_ids, size_t count);

// Deletes such notes older than keep_ms, at most limit; *deleted says how many.
struct status store_prune_given_back(struct db *db, int64_t keep_ms, int64_t limit,
                                     int64_t *deleted);

// Queues what changed: options, new and changed holds, movements.
struct status store_save_book(struct db *db, struct arena *arena, const struct book *book);

// Queues the total of one option and its movement.
struct status store_save_stock(struct db *db, struct arena *arena, const struct stock *stock,
                               const struct movement *movement);

// Takes up to `limit` lines of holds whose time is over and that nobody else sweeps, and puts their
// expiry off by lease_ms. *order_ids are their orders, each once.
struct status store_claim_expired(struct db *db, struct arena *arena, int64_t limit,
                                  int64_t lease_ms, int64_t **order_ids, size_t *count);

// Popularity (store_popularity.c)

// Queues sales into the hours of their payments.
struct status store_add_sales(struct db *db, struct arena *arena, const struct sale *sales,
                              size_t count);

// Queues that they are taken out of there.
struct status store_take_sales_back(struct db *db, struct arena *arena, const struct sale *sales,
                                    size_t count);

// The products that sold most in the window, or those of the snapshot; by rank.
struct status store_rank(struct db *db, struct arena *arena, const struct popular_query *query,
                         struct ranked **ranking, size_t *count);

// Takes the snapshot of a day upon us; *ours is false when somebody has. Waits for another that
// tries at the same time.
struct status store_claim_snapshot(struct db *db, int64_t day_us, bool *ours);

// Queues the ranking of a claimed snapshot.
struct status store_fill_snapshot(struct db *db, int64_t day_us, struct window window,
                                  int64_t limit);

// Deletes hours older than keep_ms, at most limit; *deleted says how many.
struct status store_prune_sales(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted);
