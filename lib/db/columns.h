#pragma once
// The parameters of a statement over unnest(..): one array a column, filled row by row.
//
// The columns of a statement are its numbers first, then its texts, then its blobs; what is the same for
// all rows comes behind them.

#include "lib/db/db.h"

enum { COLUMNS_MAX = 20 };

struct columns {
    struct arena *arena;
    size_t count, capacity;
    size_t number_count, text_count, blob_count;
    int64_t *numbers[COLUMNS_MAX];
    const char **texts[COLUMNS_MAX];
    struct bytes *blobs[COLUMNS_MAX];
};

// Columns for at most `capacity` rows, in arena.
void columns_init(struct columns *columns, struct arena *arena, size_t capacity, size_t numbers,
                  size_t texts, size_t blobs);

// Appends a row; texts and blobs are borrowed. A list that has no columns may be NULL.
void columns_add(struct columns *columns, const int64_t *numbers, const char *const *texts,
                 const struct bytes *blobs);

// The columns as $1, $2 .., then `rest`. In the arena, borrowed from the columns.
struct params columns_params(const struct columns *columns, struct params rest);

// Queues the statement with the columns, and `rest` behind them; nothing when there is no row.
struct status columns_queue(const struct columns *columns, struct db *db,
                            const struct statement *statement);
struct status columns_queue_with(const struct columns *columns, struct db *db,
                                 const struct statement *statement, struct params rest);
