// Writes of a batch go out with one statement a table, whatever the number of rows (DESIGN 4); this
// is what turns rows in memory into the arrays that such a statement takes.

#include "lib/db/columns.h"

#include <assert.h>

void columns_init(struct columns *columns, struct arena *arena, size_t capacity, size_t numbers,
                  size_t texts, size_t blobs)
{
    assert(numbers <= COLUMNS_MAX && texts <= COLUMNS_MAX && blobs <= COLUMNS_MAX);
    *columns = (struct columns){
        .arena = arena,
        .capacity = capacity,
        .number_count = numbers,
        .text_count = texts,
        .blob_count = blobs,
    };
    for (size_t i = 0; i < numbers; i++)
        columns->numbers[i] = arena_array(arena, capacity, sizeof(int64_t));
    for (size_t i = 0; i < texts; i++)
        columns->texts[i] = arena_array(arena, capacity, sizeof(char *));
    for (size_t i = 0; i < blobs; i++)
        columns->blobs[i] = arena_array(arena, capacity, sizeof(struct bytes));
}

void columns_add(struct columns *columns, const int64_t *numbers, const char *const *texts,
                 const struct bytes *blobs)
{
    size_t row = columns->count++;
    assert(row < columns->capacity);
    for (size_t i = 0; i < columns->number_count; i++)
        columns->numbers[i][row] = numbers[i];
    for (size_t i = 0; i < columns->text_count; i++)
        columns->texts[i][row] = texts[i];
    for (size_t i = 0; i < columns->blob_count; i++)
        columns->blobs[i][row] = blobs[i];
}

struct params columns_params(const struct columns *columns, struct params rest)
{
    size_t count = 0;
    size_t capacity =
        columns->number_count + columns->text_count + columns->blob_count + rest.count;
    param *values = arena_array(columns->arena, capacity, sizeof(*values));
    for (size_t i = 0; i < columns->number_count; i++)
        values[count++] = p_int64s(columns->numbers[i], columns->count);
    for (size_t i = 0; i < columns->text_count; i++)
        values[count++] = p_texts(columns->texts[i], columns->count);
    for (size_t i = 0; i < columns->blob_count; i++)
        values[count++] = p_byteas(columns->blobs[i], columns->count);
    for (size_t i = 0; i < rest.count; i++)
        values[count++] = rest.values[i];
    return (struct params){values, count};
}

struct status columns_queue_with(const struct columns *columns, struct db *db,
                                 const struct statement *statement, struct params rest)
{
    return columns->count ? db_queue(db, statement, columns_params(columns, rest)) : OK;
}

struct status columns_queue(const struct columns *columns, struct db *db,
                            const struct statement *statement)
{
    return columns_queue_with(columns, db, statement, NO_PARAMS);
}
