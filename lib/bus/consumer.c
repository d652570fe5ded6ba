// The cursor is read, the events after it are fetched, and only then a transaction begins: none is
// ever open during a remote call. In it the cursor's row is locked and read again. If another replica
// has been faster, the events that it has applied are left out; since a source never shows an event
// below one that it has shown, what is left is exactly what follows the cursor. Whether a COMMIT whose
// answer was lost took place needs no answer: the next round starts from what the row says.

#include "lib/bus/consumer.h"

#include "lib/base/clock.h"
#include "lib/base/fault_point.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"

enum { FETCH_TIMEOUT_MS = 2000 };

static const struct statement REGISTER = {
    "consumer_register",
    "INSERT INTO event_cursor (consumer) VALUES ($1::text) ON CONFLICT DO NOTHING",
};

static const struct statement READ = {
    "consumer_read",
    "SELECT last_id FROM event_cursor WHERE consumer = $1::text",
};

static const struct statement LOCK = {
    "consumer_lock",
    "SELECT last_id, baro_now() FROM event_cursor WHERE consumer = $1::text FOR UPDATE",
};

static const struct statement ADVANCE = {
    "consumer_advance",
    "UPDATE event_cursor SET last_id = $2::bigint WHERE consumer = $1::text",
};

static struct status fetch_by_rpc(void *context, struct arena *arena, int64_t after_id,
                                  Baro__Event ***events, size_t *count)
{
    const struct event_feed *feed = context;
    Baro__FetchEventsRequest request = BARO__FETCH_EVENTS_REQUEST__INIT;
    ProtobufCMessage *reply;

    request.after_id = after_id;
    struct status st = rpc_call_wait(feed->client,
                                     &(struct rpc_request){
                                         .method = feed->method,
                                         .message = &request.base,
                                         .caller = {.role = CALLER_SERVICE},
                                         .timeout_ms = FETCH_TIMEOUT_MS,
                                         .idempotent = true,
                                     },
                                     &baro__fetch_events_reply__descriptor, arena, &reply);
    if (failed(st))
        return st;
    const Baro__FetchEventsReply *answer = (const void *)reply;
    *events = answer->events;
    *count = answer->n_events;
    return OK;
}

struct event_source event_source_of(struct event_feed *feed)
{
    return (struct event_source){.fetch = fetch_by_rpc, .context = feed};
}

// *after_id is 0 for a consumer that has never read.
static struct status read_cursor(const struct consumer *consumer, struct db *db, int64_t *after_id)
{
    struct rows rows;
    struct status st = db_query(db, &READ, PARAMS(p_text(consumer->name)), &rows);
    if (!failed(st))
        *after_id = rows.count ? rows_int64(&rows, 0, 0) : 0;
    return st;
}

static struct status lock_cursor(const struct consumer *consumer, struct db *db, int64_t *last_id,
                                 int64_t *now_us)
{
    struct rows rows;
    struct status st = db_queue(db, &REGISTER, PARAMS(p_text(consumer->name)));
    if (!failed(st))
        st = db_query(db, &LOCK, PARAMS(p_text(consumer->name)), &rows);
    if (failed(st))
        return st;
    *last_id = rows_int64(&rows, 0, 0);
    *now_us = rows_int64(&rows, 0, 1);
    return OK;
}

// How many events were applied, and how old the last one was.
struct progress {
    size_t applied;
    int64_t behind_us;
};

// In a transaction: applies those of the events that nobody has applied.
static struct status apply_fresh(const struct consumer *consumer, struct db *db,
                                 struct arena *arena, Baro__Event *const *events, size_t count,
                                 struct progress *progress)
{
    int64_t last_id = 0, now_us = 0;
    size_t old = 0;
    struct status st = lock_cursor(consumer, db, &last_id, &now_us);
    if (failed(st))
        return st;
    while (old < count && events[old]->id <= last_id)
        old++;
    progress->applied = count - old;
    progress->behind_us = now_us - events[count - 1]->occurred_at_us;
    if (old == count)
        return OK;
    st = consumer->apply(consumer->context, db, arena, events + old, count - old);
    if (failed(st))
        return st;
    fault_point("consumer", "applied");
    return db_queue(db, &ADVANCE, PARAMS(p_text(consumer->name), p_int64(events[count - 1]->id)));
}

static void show(const struct consumer *consumer, struct arena *arena,
                 const struct progress *progress)
{
    const char *labels = text_printf(arena, "consumer=\"%s\"", consumer->name);
    metric_add(metrics_counter("baro_bus_events_consumed_total", "Events applied", labels),
               (int64_t)progress->applied);
    metric_set(metrics_gauge("baro_bus_events_behind_seconds",
                             "Age of the last event that was applied while there are more", labels),
               progress->behind_us / US_PER_S);
}

static struct status apply_in_transaction(const struct consumer *consumer, struct db *db,
                                          struct arena *arena, Baro__Event *const *events,
                                          size_t count, struct progress *progress)
{
    fault_point("consumer", "picked");
    struct status st = db_begin(db);
    if (failed(st))
        return st;
    st = apply_fresh(consumer, db, arena, events, count, progress);
    if (!failed(st))
        st = db_commit(db);
    db_rollback(db);
    return st;
}

// One lot; *count is what the source had.
static struct status run_lot(const struct consumer *consumer, struct db *db, struct arena *arena,
                             size_t *count)
{
    Baro__Event **events;
    struct progress progress = {0};
    int64_t after_id = 0;

    struct status st = read_cursor(consumer, db, &after_id);
    if (!failed(st))
        st = consumer->source.fetch(consumer->source.context, arena, after_id, &events, count);
    if (!failed(st) && *count > 0)
        st = apply_in_transaction(consumer, db, arena, events, *count, &progress);
    if (!failed(st) && *count > 0)
        fault_point("consumer", "marked");
    if (!failed(st))
        show(consumer, arena, &progress);
    return st;
}

struct status consumer_run(const struct consumer *consumer, struct db *db, struct arena *arena,
                           int lots_max)
{
    struct status st = OK;
    size_t count = 1;
    for (int lot = 0; !failed(st) && count && lot < lots_max; lot++) {
        SCOPED(arena) *scratch = arena_create();
        st = run_lot(consumer, db, scratch, &count);
        st = status_keep(st, arena);
    }
    return st;
}
