// The sinks' rows, and the events that they did not take.

#include "services/order/store.h"

#include "lib/base/text.h"

#define EVENT_COLUMNS                                                                              \
    "id, event_id, key, occurred_at, since, died_at, replayed_at, tries, state, sink, kind, "      \
    "error,"                                                                                       \
    " payload"

static const struct statement LIST = {
    "dead_letter_list",
    "SELECT " EVENT_COLUMNS " FROM sink_event WHERE id < $1::bigint AND state >= 2"
    " AND ($2::text = '' OR sink = $2::text) AND ($3::bigint = 0 OR state = $3::bigint)"
    " ORDER BY id DESC LIMIT $4::bigint",
};

static const struct statement LOCK = {
    "dead_letter_lock",
    "SELECT " EVENT_COLUMNS " FROM sink_event WHERE id = $1::bigint AND state >= 2 FOR UPDATE",
};

static const struct statement REPLAY = {
    "dead_letter_replay",
    "UPDATE sink_event SET state = 3, due_at = baro_now() WHERE id = $1::bigint",
};

static Baro__Event *take_event(const struct rows *rows, size_t row, struct arena *arena)
{
    Baro__Event *event = arena_alloc(arena, sizeof(*event));
    struct bytes payload = rows_bytes(rows, row, 12);
    baro__event__init(event);
    event->id = rows_int64(rows, row, 1);
    event->key = rows_int64(rows, row, 2);
    event->occurred_at_us = rows_int64(rows, row, 3);
    event->kind = text_copy(arena, rows_text(rows, row, 10));
    event->payload.data = arena_copy(arena, payload.data, payload.size);
    event->payload.len = payload.size;
    return event;
}

static void take_rows(const struct rows *rows, struct arena *arena, struct sink_event_set *set)
{
    set->count = rows->count;
    set->rows = arena_array(arena, rows->count + 1, sizeof(*set->rows));
    for (size_t row = 0; row < rows->count; row++)
        set->rows[row] = (struct sink_event){
            .id = rows_int64(rows, row, 0),
            .event = take_event(rows, row, arena),
            .since_us = rows_int64(rows, row, 4),
            .died_at_us = rows_int64(rows, row, 5),
            .replayed_at_us = rows_int64(rows, row, 6),
            .tries = rows_int64(rows, row, 7),
            .state = (enum sink_event_state)rows_int64(rows, row, 8),
            .sink = text_copy(arena, rows_text(rows, row, 9)),
            .error = text_copy(arena, rows_text(rows, row, 11)),
        };
}

struct status store_list_dead_letters(struct db *db, struct arena *arena, const char *sink,
                                      int64_t state, int64_t before_id, int64_t limit,
                                      struct sink_event_set *set)
{
    struct rows rows;
    struct status st = db_query(
        db, &LIST, PARAMS(p_int64(before_id), p_text(sink), p_int64(state), p_int64(limit)), &rows);
    if (!failed(st))
        take_rows(&rows, arena, set);
    return st;
}

struct status store_lock_dead_letter(struct db *db, struct arena *arena, int64_t id,
                                     struct sink_event **row)
{
    struct rows rows;
    struct sink_event_set set;
    struct status st = db_query(db, &LOCK, PARAMS(p_int64(id)), &rows);
    if (failed(st))
        return st;
    take_rows(&rows, arena, &set);
    *row = set.count ? set.rows : NULL;
    return OK;
}

struct status store_replay_dead_letter(struct db *db, int64_t id)
{
    return db_queue(db, &REPLAY, PARAMS(p_int64(id)));
}
