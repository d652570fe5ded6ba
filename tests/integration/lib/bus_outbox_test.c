// The outbox on a real server: no event is skipped, whatever the order of the commits.

#include "lib/bus/outbox.h"
#include "tests/integration/lib/guarded.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *url;
static struct outbox_reader *reader;
static char kind[] = "order.paid";

static void given_outbox(void)
{
    url = guarded_database("outbox");
    reader = outbox_reader_create();
}

static void end_outbox(void)
{
    outbox_reader_destroy(reader);
}

TestSuite(outbox, .init = given_outbox, .fini = end_outbox, .timeout = 60);

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

static struct db *connect_db(void)
{
    return db_create(url, "test");
}

static void append(struct db *db, int64_t key, const char *payload)
{
    Baro__Event event;
    baro__event__init(&event);
    event.kind = kind;
    event.key = key;
    event.payload.len = strlen(payload);
    event.payload.data = (uint8_t *)(uintptr_t)payload;
    const Baro__Event *events[] = {&event};
    expect_ok(outbox_append(db, events, 1));
}

// Keys of the events after *last_id, appended to `keys`; *last_id moves on.
static size_t read_keys(struct db *db, int64_t *last_id, size_t limit, int64_t *keys)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Event **events;
    size_t count;
    expect_ok(outbox_read(reader, db, arena, *last_id, limit, &events, &count));
    for (size_t i = 0; i < count; i++) {
        cr_assert_gt(events[i]->id, *last_id);
        *last_id = events[i]->id;
        keys[i] = events[i]->key;
    }
    return count;
}

struct awaited {
    struct db *db;
    int64_t last_id;
    size_t count;
    int64_t keys[64];
    size_t wanted;
};

static bool has_read_all(void *arg)
{
    struct awaited *awaited = arg;
    awaited->count += read_keys(awaited->db, &awaited->last_id, 7, awaited->keys + awaited->count);
    return awaited->count >= awaited->wanted;
}

// Reads until it has that many events. Writers in other databases of the server hold readers up for
// as long as they run, so what is committed may take a moment to be seen.
static struct awaited await_events(struct db *db, size_t wanted)
{
    struct awaited awaited = {.db = db, .wanted = wanted};
    cr_assert(stand_wait(has_read_all, &awaited, 10 * 1000));
    cr_assert_eq(awaited.count, wanted);
    return awaited;
}

Test(outbox, a_writer_that_commits_late_is_not_skipped)
{
    SCOPED(db) *early = connect_db();
    SCOPED(db) *late = connect_db();
    SCOPED(db) *eyes = connect_db();
    int64_t last_id = 0, keys[7];
    expect_ok(db_begin(late));
    append(late, 1, "late"); // takes the lower id
    expect_ok(db_flush(late));
    expect_ok(db_begin(early));
    append(early, 2, "early");
    expect_ok(db_commit(early));
    cr_expect_eq(read_keys(eyes, &last_id, 7, keys), 0);
    expect_ok(db_commit(late));
    struct awaited seen = await_events(eyes, 2);
    cr_expect(seen.keys[0] == 1 && seen.keys[1] == 2);
}

// The writer with the higher id began first and ends first, so its transaction is below the oldest one
// that runs while the lower id is still to come.
Test(outbox, a_lower_id_of_a_younger_transaction_is_not_skipped)
{
    SCOPED(db) *older = connect_db();
    SCOPED(db) *younger = connect_db();
    SCOPED(db) *eyes = connect_db();
    int64_t last_id = 0, keys[7];
    expect_ok(db_begin(older));
    expect_ok(db_execute(older, &(struct statement){"begin_writing", "SELECT pg_current_xact_id()"},
                         NO_PARAMS, NULL));
    expect_ok(db_begin(younger));
    append(younger, 1, "lower id");
    expect_ok(db_flush(younger));
    append(older, 2, "higher id");
    expect_ok(db_commit(older));
    for (int i = 0; i < 3; i++)
        cr_expect_eq(read_keys(eyes, &last_id, 7, keys), 0);
    expect_ok(db_commit(younger));
    struct awaited seen = await_events(eyes, 2);
    cr_expect(seen.keys[0] == 1 && seen.keys[1] == 2);
}

// No id is missing: nobody needs to wait.
Test(outbox, what_is_committed_shows_at_once_although_others_write)
{
    SCOPED(db) *writer = connect_db();
    SCOPED(db) *other = connect_db();
    SCOPED(db) *eyes = connect_db();
    int64_t last_id = 0, keys[7];
    expect_ok(db_begin(other));
    expect_ok(db_execute(other, &(struct statement){"begin_writing", "SELECT pg_current_xact_id()"},
                         NO_PARAMS, NULL));
    expect_ok(db_begin(writer));
    append(writer, 1, "");
    expect_ok(db_commit(writer));
    cr_expect_eq(read_keys(eyes, &last_id, 7, keys), 1);
    db_rollback(other);
}

Test(outbox, a_writer_that_gives_up_leaves_nothing_and_holds_nobody_up)
{
    SCOPED(db) *writer = connect_db();
    SCOPED(db) *eyes = connect_db();
    expect_ok(db_begin(writer));
    append(writer, 1, "never");
    expect_ok(db_flush(writer));
    db_rollback(writer);
    expect_ok(db_begin(writer));
    append(writer, 2, "");
    expect_ok(db_commit(writer));
    cr_expect_eq(await_events(eyes, 1).keys[0], 2);
}

Test(outbox, events_of_one_transaction_keep_their_order_and_are_read_in_pages)
{
    enum { EVENTS = 50 };
    Baro__Event events[EVENTS];
    const Baro__Event *pointers[EVENTS];
    SCOPED(db) *db = connect_db();
    for (int64_t i = 0; i < EVENTS; i++) {
        baro__event__init(&events[i]);
        events[i].kind = kind;
        events[i].key = i;
        pointers[i] = &events[i];
    }
    expect_ok(db_begin(db));
    expect_ok(outbox_append(db, pointers, EVENTS));
    expect_ok(db_commit(db));
    struct awaited seen = await_events(db, EVENTS);
    for (int64_t i = 0; i < EVENTS; i++)
        cr_assert_eq(seen.keys[i], i);
}

Test(outbox, an_event_comes_back_as_it_was)
{
    SCOPED(db) *db = connect_db();
    SCOPED(arena) *arena = arena_create();
    Baro__Event **events;
    size_t count;
    expect_ok(db_begin(db));
    append(db, 42, "payload");
    expect_ok(db_commit(db));
    await_events(db, 1);
    expect_ok(outbox_read(reader, db, arena, 0, 10, &events, &count));
    cr_assert_eq(count, 1);
    cr_expect_str_eq(events[0]->kind, "order.paid");
    cr_expect_eq(events[0]->payload.len, 7);
    cr_expect_arr_eq(events[0]->payload.data, "payload", 7);
    cr_expect_gt(events[0]->occurred_at_us, INT64_C(1700000000000000));
}

Test(outbox, old_events_are_pruned_from_the_oldest_on)
{
    SCOPED(db) *db = connect_db();
    int64_t deleted;
    for (int64_t i = 1; i <= 5; i++) {
        expect_ok(db_begin(db));
        append(db, i, "old");
        expect_ok(db_commit(db));
    }
    guarded_advance(url, 3600);
    expect_ok(db_begin(db));
    append(db, 6, "new");
    expect_ok(db_commit(db));
    expect_ok(outbox_prune(db, 1800 * 1000, 3, &deleted));
    cr_expect_eq(deleted, 3);
    expect_ok(outbox_prune(db, 1800 * 1000, 100, &deleted));
    cr_expect_eq(deleted, 2);
    cr_expect_eq(await_events(db, 1).keys[0], 6);
}
