// Blocks of ids.
//
// The lock covers memory only; two threads that run out at once fetch two blocks, and what the loser
// leaves over is dropped: ids have gaps by nature. nextval is not rolled back, so a block may be
// shared at once with other threads. But it reaches the disk only with some commit, and an id may
// leave this database before that (a hold in another service): the block is flushed first, or a
// crash could hand it out again.

#include "lib/db/ids.h"

#include "lib/base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct ids {
    char *sequence;
    pthread_mutex_t lock;
    int64_t next, end; // [next, end) is free
};

static const struct statement NEXT_BLOCKS = {
    "ids_next_blocks", "SELECT nextval($1::text::regclass) FROM generate_series(1, $2::bigint)"};

static const struct statement FLUSH = {
    "ids_flush", "SELECT pg_logical_emit_message(false, 'baro', '', true) IS NOT NULL"};

struct ids *ids_create(const char *sequence)
{
    struct ids *ids = memory_alloc(sizeof(*ids));
    ids->sequence = memory_text(sequence);
    pthread_mutex_init(&ids->lock, NULL);
    return ids;
}

void ids_destroy(struct ids *ids)
{
    if (!ids)
        return;
    pthread_mutex_destroy(&ids->lock);
    free(ids->sequence);
    free(ids);
}

static size_t take_from_memory(struct ids *ids, size_t count, int64_t *values)
{
    size_t taken = 0;
    pthread_mutex_lock(&ids->lock);
    while (taken < count && ids->next < ids->end)
        values[taken++] = ids->next++;
    pthread_mutex_unlock(&ids->lock);
    return taken;
}

// Keeps what is left of a fetched block if it is more than what is there.
static void keep(struct ids *ids, int64_t next, int64_t end)
{
    pthread_mutex_lock(&ids->lock);
    if (end - next > ids->end - ids->next) {
        ids->next = next;
        ids->end = end;
    }
    pthread_mutex_unlock(&ids->lock);
}

struct status ids_take(struct ids *ids, struct db *db, size_t count, int64_t *values)
{
    size_t taken = take_from_memory(ids, count, values);
    if (taken == count)
        return OK;
    size_t blocks = (count - taken + ID_BLOCK - 1) / ID_BLOCK;
    struct rows rows;
    struct status st =
        db_query(db, &NEXT_BLOCKS, PARAMS(p_text(ids->sequence), p_int64((int64_t)blocks)), &rows);
    if (failed(st))
        return st;
    assert(rows.count == blocks);
    for (size_t block = 0; block < blocks; block++) {
        int64_t next = rows_int64(&rows, block, 0), end = next + ID_BLOCK;
        while (taken < count && next < end)
            values[taken++] = next++;
        if (taken == count) {
            st = db_execute(db, &FLUSH, NO_PARAMS, NULL);
            if (!failed(st))
                keep(ids, next, end);
        }
    }
    return st;
}
