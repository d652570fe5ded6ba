// The sinks' rows, and the events that they did not take.

#include "services/order/delivery.h"
#include "services/order/store.h"

#include "lib/base/text.h"
#include "lib/db/columns.h"

#define EVENT_COLUMNS                                                                              \
    "id, event_id, key, occurred_at, since, tried_at, died_at, replayed_at, tries, state, sink,"   \
    " kind, error, payload"

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
    struct bytes payload = rows_bytes(rows, row, 13);
    baro__event__init(event);
    event->id = rows_int64(rows, row, 1);
    event->key = rows_int64(rows, row, 2);
    event->occurred_at_us = rows_int64(rows, row, 3);
    event->kind = text_copy(arena, rows_text(rows, row, 11));
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
            .tried_at_us = rows_int64(rows, row, 5),
            .died_at_us = rows_int64(rows, row, 6),
            .replayed_at_us = rows_int64(rows, row, 7),
            .tries = rows_int64(rows, row, 8),
            .state = (enum sink_event_state)rows_int64(rows, row, 9),
            .sink = text_copy(arena, rows_text(rows, row, 10)),
            .error = text_copy(arena, rows_text(rows, row, 12)),
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

static const struct statement REGISTER = {
    "sink_register",
    "INSERT INTO sink (name, last_id, rest_until, lease_until)"
    " SELECT $1::text, coalesce(max(id), 0), '-infinity', '-infinity' FROM outbox"
    " ON CONFLICT DO NOTHING",
};

static const struct statement READ = {
    "sink_read",
    "SELECT last_id, failures, refusals, through_at, baro_now(),"
    "       (SELECT occurred_at FROM outbox WHERE id > last_id ORDER BY id LIMIT 1),"
    "       owner = $2::text AND lease_until > baro_now() + $3::bigint * interval '1 ms' / 2,"
    "       owner = $2::text OR lease_until <= baro_now(), rest_until > baro_now()"
    " FROM sink WHERE name = $1::text",
};

static const struct statement LEASE = {
    "sink_lease",
    "UPDATE sink SET owner = $2::text, lease_until = baro_now() + $3::bigint * interval '1 ms'"
    " WHERE name = $1::text AND (owner = $2::text OR lease_until <= baro_now())",
};

static const struct statement RELEASE = {
    "sink_release",
    "UPDATE sink SET lease_until = '-infinity' WHERE name = $1::text AND owner = $2::text",
};

struct status store_register_sink(struct db *db, const char *name)
{
    return db_execute(db, &REGISTER, PARAMS(p_text(name)), NULL);
}

struct status store_read_sink(struct db *db, const char *name, const char *owner, int64_t lease_ms,
                              struct sink_row *row)
{
    struct rows rows;
    struct status st =
        db_query(db, &READ, PARAMS(p_text(name), p_text(owner), p_int64(lease_ms)), &rows);
    if (failed(st))
        return st;
    if (rows.count == 0)
        return (struct status){.code = STATUS_NOT_FOUND, .message = "the sink has no row"};
    *row = (struct sink_row){
        .last_id = rows_int64(&rows, 0, 0),
        .failures = rows_int64(&rows, 0, 1),
        .refusals = rows_int64(&rows, 0, 2),
        .through_at_us = rows_int64(&rows, 0, 3),
        .now_us = rows_int64(&rows, 0, 4),
        .oldest_us = rows_int64(&rows, 0, 5),
        .mine = rows_bool(&rows, 0, 6),
        .free = rows_bool(&rows, 0, 7),
        .resting = rows_bool(&rows, 0, 8),
    };
    return OK;
}

struct status store_lease_sink(struct db *db, const char *name, const char *owner, int64_t lease_ms,
                               bool *taken)
{
    int64_t affected = 0;
    struct status st =
        db_execute(db, &LEASE, PARAMS(p_text(name), p_text(owner), p_int64(lease_ms)), &affected);
    if (!failed(st))
        *taken = affected == 1;
    return st;
}

struct status store_release_sink(struct db *db, const char *name, const char *owner)
{
    return db_execute(db, &RELEASE, PARAMS(p_text(name), p_text(owner)), NULL);
}

static const struct statement LOAD = {
    "sink_event_load",
    "SELECT " EVENT_COLUMNS " FROM sink_event e"
    " WHERE sink = $1::text AND state IN (1, 3) AND due_at <= baro_now()"
    " AND (state = 3 OR NOT EXISTS (SELECT FROM sink_event f WHERE f.sink = e.sink"
    "      AND f.key = e.key AND f.state = 1 AND f.event_id < e.event_id))"
    " ORDER BY event_id LIMIT $2::bigint",
};

static const struct statement FIND_WAITING = {
    "sink_event_find_waiting",
    "SELECT DISTINCT key FROM sink_event"
    " WHERE sink = $1::text AND state = 1 AND key = ANY($2::bigint[])",
};

struct status store_load_sink_events(struct db *db, struct arena *arena, const char *sink,
                                     int64_t limit, struct sink_event_set *set)
{
    struct rows rows;
    struct status st = db_query(db, &LOAD, PARAMS(p_text(sink), p_int64(limit)), &rows);
    if (!failed(st))
        take_rows(&rows, arena, set);
    return st;
}

struct status store_find_waiting(struct db *db, struct arena *arena, const char *sink,
                                 const int64_t *keys, size_t count, int64_t **waiting,
                                 size_t *waiting_count)
{
    struct rows rows;
    struct status st =
        db_query(db, &FIND_WAITING, PARAMS(p_text(sink), p_int64s(keys, count)), &rows);
    if (failed(st))
        return st;
    *waiting_count = rows.count;
    *waiting = rows_int64s(&rows, 0, arena);
    return OK;
}

static const struct statement ADVANCE = {
    "sink_advance",
    "UPDATE sink SET last_id = $3::bigint, failures = $4::bigint, refusals = $5::bigint,"
    "  through_at = baro_time($6::bigint),"
    "  rest_until = baro_now() + $7::bigint * interval '1 ms'"
    " WHERE name = $1::text AND owner = $2::text",
};

static const struct statement SET_ASIDE = {
    "sink_event_set_aside",
    "INSERT INTO sink_event (event_id, key, occurred_at, since, tried_at, due_at, died_at, tries,"
    "                        state, sink, kind, error, payload)"
    " SELECT event_id, key, baro_time(occurred_at), baro_now(), baro_now(),"
    "        baro_now() + due_ms * interval '1 ms', CASE WHEN state = 2 THEN baro_now() END, tries,"
    "        state, sink, kind, error, payload"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],"
    "             $6::bigint[], $7::text[], $8::text[], $9::text[], $10::bytea[])"
    " AS u(event_id, key, occurred_at, due_ms, tries, state, sink, kind, error, payload)"
    " ON CONFLICT (sink, event_id) DO NOTHING",
};

static const struct statement UPDATE = {
    "sink_event_update",
    "UPDATE sink_event SET state = u.state, tries = u.tries, error = u.error,"
    "  tried_at = baro_now(), due_at = baro_now() + u.due_ms * interval '1 ms',"
    "  died_at = CASE WHEN u.state = 2 THEN baro_now() ELSE died_at END,"
    "  replayed_at = CASE WHEN u.state = 4 THEN baro_now() END"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])"
    " AS u(id, due_ms, tries, state, error) WHERE sink_event.id = u.id",
};

static const struct statement DELETE = {
    "sink_event_delete",
    "DELETE FROM sink_event WHERE id = ANY($1::bigint[])",
};

static const struct statement EXPIRE = {
    "sink_event_expire",
    "UPDATE sink_event SET state = 2, died_at = baro_now() WHERE sink = $1::text AND state = 1"
    " AND since <= baro_now() - $2::bigint * interval '1 ms'",
};

// Where the outcome of an event leads, if it has one.
static bool leads(const struct delivery *item, enum sink_event_state *to)
{
    return sink_event_next(item->row.state, item->outcome, to);
}

static struct status set_aside(struct db *db, struct arena *arena, const char *sink,
                               const struct delivery *items, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 6, 3, 1);
    for (size_t i = 0; i < count; i++) {
        const struct delivery *item = &items[i];
        const Baro__Event *event = item->row.event;
        enum sink_event_state state;
        if (item->row.state == SINK_EVENT_NEW && leads(item, &state) &&
            state != SINK_EVENT_DELIVERED)
            columns_add(
                &columns,
                (int64_t[]){event->id, event->key, event->occurred_at_us, item->due_ms,
                            item->row.tries, (int64_t)state},
                (const char *[]){sink, event->kind, item->error ? item->error : ""},
                &(struct bytes){event->payload.data ? event->payload.data : (const uint8_t *)"",
                                event->payload.len});
    }
    return columns_queue(&columns, db, &SET_ASIDE);
}

static struct status update_rows(struct db *db, struct arena *arena, const struct delivery *items,
                                 size_t count)
{
    struct columns changed, gone;
    columns_init(&changed, arena, count, 4, 1, 0);
    columns_init(&gone, arena, count, 1, 0, 0);
    for (size_t i = 0; i < count; i++) {
        const struct delivery *item = &items[i];
        enum sink_event_state state;
        if (item->row.state == SINK_EVENT_NEW || !leads(item, &state))
            continue;
        if (state == SINK_EVENT_DELIVERED)
            columns_add(&gone, &item->row.id, NULL, NULL);
        else
            columns_add(&changed,
                        (int64_t[]){item->row.id, item->due_ms, item->row.tries, (int64_t)state},
                        (const char *[]){item->error ? item->error : item->row.error}, NULL);
    }
    struct status st = columns_queue(&changed, db, &UPDATE);
    return failed(st) ? st : columns_queue(&gone, db, &DELETE);
}

static struct status write_round(struct db *db, struct arena *arena, const char *sink,
                                 const char *owner, const struct sink_state *state,
                                 const struct delivery *items, size_t count, int64_t give_up_ms)
{
    int64_t affected = 0;
    struct status st =
        db_execute(db, &ADVANCE,
                   PARAMS(p_text(sink), p_text(owner), p_int64(state->last_id),
                          p_int64(state->failures), p_int64(state->refusals),
                          p_int64(db_or_null(state->through_at_us)), p_int64(state->rest_ms)),
                   &affected);
    if (!failed(st) && affected != 1)
        return refuse(REASON_CONFLICT, "the sink belongs to another replica");
    if (!failed(st))
        st = set_aside(db, arena, sink, items, count);
    if (!failed(st))
        st = update_rows(db, arena, items, count);
    if (!failed(st))
        st = db_queue(db, &EXPIRE, PARAMS(p_text(sink), p_int64(give_up_ms)));
    return st;
}

struct status store_save_round(struct db *db, struct arena *arena, const char *sink,
                               const char *owner, const struct sink_state *state,
                               const struct delivery *items, size_t count, int64_t give_up_ms)
{
    struct status st = db_begin(db);
    if (!failed(st))
        st = write_round(db, arena, sink, owner, state, items, count, give_up_ms);
    if (!failed(st))
        st = db_commit(db);
    if (failed(st))
        db_rollback(db);
    return st;
}

static const struct statement BEHIND = {
    "sinks_behind",
    "SELECT coalesce(extract(epoch FROM baro_now() - min(oldest.occurred_at)) * 1000, 0)::bigint"
    " FROM sink CROSS JOIN LATERAL (SELECT occurred_at FROM outbox WHERE id > sink.last_id"
    "                               ORDER BY id LIMIT 1) AS oldest"
    " WHERE name = ANY($1::text[])",
};

static const struct statement PRUNE = {
    "sink_event_prune",
    "DELETE FROM sink_event WHERE id = ANY(ARRAY(SELECT id FROM sink_event WHERE state = 4"
    " AND replayed_at < baro_now() - $1::bigint * interval '1 ms' ORDER BY id LIMIT $2::bigint))",
};

struct status store_sinks_behind(struct db *db, const char *const *names, size_t count,
                                 int64_t *behind_ms)
{
    struct rows rows;
    struct status st = db_query(db, &BEHIND, PARAMS(p_texts(names, count)), &rows);
    if (!failed(st))
        *behind_ms = rows_int64(&rows, 0, 0);
    return st;
}

struct status store_prune_sink_events(struct db *db, int64_t keep_ms, int64_t limit,
                                      int64_t *deleted)
{
    return db_execute(db, &PRUNE, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}
