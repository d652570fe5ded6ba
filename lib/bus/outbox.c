// A sequence gives ids in the order in which writers ask, not in the order in which they commit. A
// reader that has seen id 9 must therefore know that no id below it can still appear. Each row
// carries its writer's transaction id, taken before the writer took its first id; a reader looks
// only at rows of writers below the oldest transaction that still runs. A writer that may still
// commit a lower id is that oldest one, or younger than it. A transaction that writes in any database
// of the server counts, so one that hangs holds the readers up; it never makes them skip.

#include "lib/bus/outbox.h"

#include "lib/base/text.h"

// `writer` is computed before the rows get their ids: the sort stands in between.
static const struct statement APPEND = {
    "outbox_append",
    "WITH writer AS MATERIALIZED (SELECT pg_current_xact_id() AS txid)"
    " INSERT INTO outbox (kind, key, payload, txid)"
    " SELECT e.kind, e.key, e.payload, writer.txid"
    " FROM writer, unnest($1::text[], $2::bigint[], $3::bytea[])"
    "      WITH ORDINALITY AS e(kind, key, payload, position) ORDER BY e.position",
};

static const struct statement READ = {
    "outbox_read",
    "SELECT id, kind, key, occurred_at, payload FROM outbox"
    " WHERE id > $1::bigint AND txid < pg_snapshot_xmin(pg_current_snapshot())"
    " ORDER BY id LIMIT $2::bigint",
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

struct status outbox_read(struct db *db, struct arena *arena, int64_t after_id, size_t limit,
                          Baro__Event ***events, size_t *count)
{
    struct rows rows;
    struct status st =
        db_query(db, &READ, PARAMS(p_int64(after_id), p_int64((int64_t)limit)), &rows);
    if (failed(st))
        return st;
    *events = arena_array(arena, rows.count, sizeof(**events));
    for (size_t i = 0; i < rows.count; i++)
        (*events)[i] = read_event(arena, &rows, i);
    *count = rows.count;
    return OK;
}

struct status outbox_prune(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    return db_execute(db, &PRUNE, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}
