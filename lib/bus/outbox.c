// A sequence gives ids in the order in which writers ask, not in the order in which they commit. A
// reader that sees id 9 must therefore know that no id below it can still appear. As long as no id is
// missing it does. A missing one belongs to a writer that still runs or has given up, and to tell them
// apart each read notes how far the sequence has come and then which transaction will be the next: a
// writer takes its transaction id before its first id (APPEND), so all ids up to the noted one belong
// to older transactions. When a later read finds that all of these have ended, those ids are settled.
//
// The transaction ids themselves order nothing: a transaction that began first may take its ids last.
// A transaction that writes in any database of the server counts, so one that hangs makes readers
// wait at the next missing id; it never makes them skip.

#include "lib/bus/outbox.h"

#include "lib/base/memory.h"
#include "lib/base/text.h"

#include <pthread.h>
#include <stdlib.h>

// `writer` is computed before a row gets its id: the row comes from it.
static const struct statement APPEND = {
    "outbox_append",
    "WITH writer AS MATERIALIZED (SELECT pg_current_xact_id() AS txid)"
    " INSERT INTO outbox (kind, key, payload, txid)"
    " SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::bytea[]), txid FROM writer",
};

// The three are sent together and run in this order.
static const struct statement LAST_TAKEN = {
    "outbox_last_taken",
    "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq",
};

// The oldest transaction that runs, and the next one: age() counts from there.
static const struct statement RUNNING = {
    "outbox_running",
    "SELECT xmin::text::bigint, xmin::text::bigint + age(xmin::xid)"
    " FROM pg_snapshot_xmin(pg_current_snapshot()) AS xmin",
};

static const struct statement READ = {
    "outbox_read",
    "SELECT id, kind, key, occurred_at, payload FROM outbox"
    " WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint",
};

// The oldest ids first, so that what remains has no holes.
static const struct statement PRUNE = {
    "outbox_prune",
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT $2::bigint)"
    " AND occurred_at < baro_now() - $1::bigint * interval '1 millisecond'",
};

struct status outbox_append(struct db *db, const Baro__Event *const *events, size_t count)
{
    if (count == 0)
        return OK;
    // Queued parameters are in libpq's hands when db_queue returns: the columns may end here.
    SCOPED(arena) *arena = arena_create();
    const char **kinds = arena_array(arena, count, sizeof(*kinds));
    int64_t *keys = arena_array(arena, count, sizeof(*keys));
    struct bytes *payloads = arena_array(arena, count, sizeof(*payloads));
    for (size_t i = 0; i < count; i++) {
        kinds[i] = events[i]->kind;
        keys[i] = events[i]->key;
        // An event without fields packs to nothing, which is not SQL's NULL.
        const uint8_t *data = events[i]->payload.data;
        payloads[i] = (struct bytes){data ? data : (const uint8_t *)"", events[i]->payload.len};
    }
    return db_queue(
        db, &APPEND,
        PARAMS(p_texts(kinds, count), p_int64s(keys, count), p_byteas(payloads, count)));
}

static Baro__Event *read_event(struct arena *arena, const struct rows *rows, size_t row)
{
    Baro__Event *event = arena_alloc(arena, sizeof(*event));
    struct bytes payload = rows_bytes(rows, row, 4);
    baro__event__init(event);
    event->id = rows_int64(rows, row, 0);
    event->kind = text_copy(arena, rows_text(rows, row, 1));
    event->key = rows_int64(rows, row, 2);
    event->occurred_at_us = rows_int64(rows, row, 3);
    event->payload.data = arena_copy(arena, payload.data, payload.size);
    event->payload.len = payload.size;
    return event;
}

// All ids up to `settled` are; those up to `noted` are when all transactions below `noted_next` have
// ended.
struct horizon {
    int64_t settled, noted, noted_next;
};

struct outbox_reader {
    pthread_mutex_t lock;
    struct horizon horizon;
};

struct outbox_reader *outbox_reader_create(void)
{
    struct outbox_reader *reader = memory_alloc(sizeof(*reader));
    pthread_mutex_init(&reader->lock, NULL);
    return reader;
}

void outbox_reader_destroy(struct outbox_reader *reader)
{
    if (!reader)
        return;
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}

static struct horizon horizon_of(struct outbox_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    struct horizon horizon = reader->horizon;
    pthread_mutex_unlock(&reader->lock);
    return horizon;
}

// Threads may come in any order: what is settled stays so.
static void learn(struct outbox_reader *reader, const struct horizon *horizon)
{
    pthread_mutex_lock(&reader->lock);
    if (horizon->settled >= reader->horizon.settled)
        reader->horizon = *horizon;
    pthread_mutex_unlock(&reader->lock);
}

static size_t count_settled(const struct rows *rows, int64_t after_id, int64_t settled)
{
    size_t count = 0;
    for (; count < rows->count; count++) {
        int64_t id = rows_int64(rows, count, 0);
        if (id > settled && id != after_id + 1)
            break;
        after_id = id;
    }
    return count;
}

struct status outbox_read(struct outbox_reader *reader, struct db *db, struct arena *arena,
                          int64_t after_id, size_t limit, Baro__Event ***events, size_t *count)
{
    // Only what was known before the rows are read says something about them.
    struct horizon horizon = horizon_of(reader);
    struct rows last, running, rows;
    struct status st = db_queue_query(db, &LAST_TAKEN, NO_PARAMS, &last);
    if (!failed(st))
        st = db_queue_query(db, &RUNNING, NO_PARAMS, &running);
    if (!failed(st))
        st = db_query(db, &READ, PARAMS(p_int64(after_id), p_int64((int64_t)limit)), &rows);
    if (failed(st))
        return st;
    if (rows_int64(&running, 0, 0) >= horizon.noted_next)
        horizon = (struct horizon){
            .settled = horizon.noted,
            .noted = rows_int64(&last, 0, 0),
            .noted_next = rows_int64(&running, 0, 1),
        };
    learn(reader, &horizon);
    *count = count_settled(&rows, after_id, horizon.settled);
    *events = arena_array(arena, *count + 1, sizeof(**events));
    for (size_t i = 0; i < *count; i++)
        (*events)[i] = read_event(arena, &rows, i);
    return OK;
}

struct status outbox_prune(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    return db_execute(db, &PRUNE, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}
