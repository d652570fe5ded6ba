// The guard of idempotency keys.
//
// Admission reads all keys of the batch in one statement; recording writes all fresh outcomes in one,
// in the order of their ids, so that two batches that share keys never wait for each other in a
// circle. The INSERT knows no ON CONFLICT: when another transaction stored a key between our two
// looks, the violation undoes the effect as well, and the batch runs again and finds the outcome.
//
// A deferred call has its effect (a saga has begun) before it has its outcome. Until then its key is
// taken by a claim: a row whose outcome is REQUEST_IN_PROGRESS. Whoever comes with the key meanwhile,
// at any replica, is told so, also when the replica that began is gone.

#include "lib/bus/inbox.h"

#include "lib/base/macros.h"
#include "lib/bus/outcome.h"

#include <stdlib.h>
#include <string.h>

static const struct statement FIND = {
    "inbox_find",
    "SELECT id, request_hash, code, reason, field, message, reply"
    " FROM idempotency WHERE id = ANY($1::bytea[])",
};

static const struct statement INSERT = {
    "inbox_insert",
    "INSERT INTO idempotency (id, request_hash, code, reason, field, message, reply)"
    " SELECT unnest($1::bytea[]) AS id, unnest($2::bytea[]), unnest($3::bigint[]),"
    "        unnest($4::text[]), unnest($5::text[]), unnest($6::text[]), unnest($7::bytea[])"
    " ORDER BY id",
};

// The reason of a claim is the word of REASON_REQUEST_IN_PROGRESS.
static const struct statement FULFIL = {
    "inbox_fulfil",
    "INSERT INTO idempotency AS kept (id, request_hash, code, reason, field, message, reply)"
    " SELECT unnest($1::bytea[]) AS id, unnest($2::bytea[]), unnest($3::bigint[]),"
    "        unnest($4::text[]), unnest($5::text[]), unnest($6::text[]), unnest($7::bytea[])"
    " ORDER BY id"
    " ON CONFLICT (id) DO UPDATE SET code = excluded.code, reason = excluded.reason,"
    "  field = excluded.field, message = excluded.message, reply = excluded.reply"
    " WHERE kept.reason = 'REQUEST_IN_PROGRESS'",
};

static const struct statement FREE = {
    "inbox_free",
    "DELETE FROM idempotency WHERE id = ANY($1::bytea[]) AND reason = 'REQUEST_IN_PROGRESS'",
};

static const struct statement PRUNE = {
    "inbox_prune",
    "DELETE FROM idempotency WHERE ctid = ANY(ARRAY("
    " SELECT ctid FROM idempotency WHERE created_at < baro_now() - interval '24 hours'"
    " LIMIT $1::bigint))",
};

// A call with a key.
struct keyed {
    uint8_t id[IDEMPOTENCY_ID_SIZE];
    size_t position; // arrival order
    struct call *call;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *left = a, *right = b;
    int order = memcmp(left->id, right->id, IDEMPOTENCY_ID_SIZE);
    return order != 0 ? order
                      : (left->position > right->position) - (left->position < right->position);
}

static bool same_id(const struct keyed *a, const struct keyed *b)
{
    return memcmp(a->id, b->id, IDEMPOTENCY_ID_SIZE) == 0;
}

static bool same_request(const struct call *call, const uint8_t *hash)
{
    uint8_t own[IDEMPOTENCY_ID_SIZE];
    call_request_hash(call, own);
    return memcmp(own, hash, IDEMPOTENCY_ID_SIZE) == 0;
}

// Calls with keys, sorted by id, copies in arrival order.
static size_t keyed_calls(struct batch *batch, struct keyed **out)
{
    struct keyed *keyed = arena_array(batch->arena, batch->count, sizeof(*keyed));
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct call *call = batch->calls[i];
        if (!call_idempotency_id(call, keyed[count].id))
            continue;
        keyed[count].position = i;
        keyed[count++].call = call;
    }
    qsort(keyed, count, sizeof(*keyed), compare_keyed);
    *out = keyed;
    return count;
}

static void refuse_reuse(struct call *call)
{
    call_refuse(call, refuse(REASON_IDEMPOTENCY_KEY_REUSED,
                             "the idempotency key was used for another request"));
    call->replayed = true;
}

static void replay(struct keyed *keyed, size_t count, const struct rows *rows)
{
    for (size_t row = 0; row < rows->count; row++) {
        struct keyed key = {.position = 0};
        memcpy(key.id, rows_bytes(rows, row, 0).data, IDEMPOTENCY_ID_SIZE);
        size_t i = 0;
        while (i < count && memcmp(keyed[i].id, key.id, IDEMPOTENCY_ID_SIZE) < 0)
            i++;
        for (; i < count && same_id(&keyed[i], &key); i++)
            if (same_request(keyed[i].call, rows_bytes(rows, row, 1).data))
                outcome_replay(keyed[i].call, rows, row, 2);
            else
                refuse_reuse(keyed[i].call);
    }
}

// Of each key that is new, the first call runs; its copies wait for it.
static void hold_copies(struct keyed *keyed, size_t count)
{
    const struct keyed *first = keyed;
    uint8_t hash[IDEMPOTENCY_ID_SIZE];
    for (size_t i = 1; i < count; i++) {
        struct call *call = keyed[i].call;
        if (!same_id(first, &keyed[i])) {
            first = &keyed[i];
            continue;
        }
        if (call->replayed)
            continue;
        call_request_hash(first->call, hash);
        if (same_request(call, hash))
            outcome_wait_for_first(call);
        else
            refuse_reuse(call);
    }
}

static struct status admit(struct batch *batch)
{
    struct keyed *keyed;
    struct rows rows;
    size_t count = keyed_calls(batch, &keyed);
    if (count == 0)
        return OK;
    struct bytes *ids = arena_array(batch->arena, count, sizeof(*ids));
    for (size_t i = 0; i < count; i++)
        ids[i] = (struct bytes){keyed[i].id, IDEMPOTENCY_ID_SIZE};
    struct status st = db_query(batch->tx, &FIND, PARAMS(p_byteas(ids, count)), &rows);
    if (failed(st))
        return st;
    replay(keyed, count, &rows);
    hold_copies(keyed, count);
    return OK;
}

static struct status insert(struct db *db, const struct statement *statement,
                            const struct bytes *ids, const struct bytes *hashes,
                            const struct outcome_columns *outcomes)
{
    size_t count = outcomes->count;
    if (count == 0)
        return OK;
    return db_queue(db, statement,
                    PARAMS(p_byteas(ids, count), p_byteas(hashes, count),
                           p_int64s(outcomes->codes, count), p_texts(outcomes->reasons, count),
                           p_texts(outcomes->fields, count), p_texts(outcomes->messages, count),
                           p_byteas(outcomes->replies, count)));
}

static void share_with_copies(struct keyed *keyed, size_t count)
{
    const struct keyed *first = keyed;
    for (size_t i = 1; i < count; i++) {
        if (!same_id(first, &keyed[i]))
            first = &keyed[i];
        else if (outcome_waits_for_first(keyed[i].call) && first->call->settled)
            outcome_share(keyed[i].call, first->call);
    }
}

static bool is_fresh(const struct call *call)
{
    if (call->deferred)
        return true;
    return call->settled && !call->replayed && status_is_definite(call->status);
}

static void add_outcome(struct outcome_columns *outcomes, const struct call *call)
{
    if (call->deferred)
        outcome_add(outcomes,
                    refuse(REASON_REQUEST_IN_PROGRESS, "the same request is still running"), NULL);
    else
        outcome_add(outcomes, call->status, call->reply);
}

static struct status record(struct batch *batch)
{
    struct keyed *keyed;
    struct outcome_columns outcomes;
    size_t count = keyed_calls(batch, &keyed);
    struct bytes *ids = arena_array(batch->arena, count, sizeof(*ids));
    struct bytes *hashes = arena_array(batch->arena, count, sizeof(*hashes));
    outcome_columns_init(&outcomes, batch->arena, count);

    for (size_t i = 0; i < count; i++) {
        struct call *call = keyed[i].call;
        if (!is_fresh(call))
            continue;
        uint8_t *hash = arena_alloc(batch->arena, IDEMPOTENCY_ID_SIZE);
        call_request_hash(call, hash);
        ids[outcomes.count] = (struct bytes){keyed[i].id, IDEMPOTENCY_ID_SIZE};
        hashes[outcomes.count] = (struct bytes){hash, IDEMPOTENCY_ID_SIZE};
        add_outcome(&outcomes, call);
    }
    share_with_copies(keyed, count);
    return insert(batch->tx, &INSERT, ids, hashes, &outcomes);
}

const struct guard idempotency_guard = {
    .name = "idempotency",
    .admit = admit,
    .record = record,
};

struct status inbox_store(struct db *db, const struct bytes *ids, const struct bytes *hashes,
                          const struct status *outcomes, const struct bytes *replies, size_t count)
{
    // Queued parameters are in libpq's hands when db_queue returns: the columns may end here.
    SCOPED(arena) *arena = arena_create();
    struct outcome_columns columns;
    struct bytes *kept = arena_array(arena, 3 * count, sizeof(*kept));
    struct bytes *kept_hashes = kept + count, *freed = kept_hashes + count;
    size_t freed_count = 0;
    outcome_columns_init(&columns, arena, count);
    for (size_t i = 0; i < count; i++) {
        if (!status_is_definite(outcomes[i])) {
            freed[freed_count++] = ids[i];
            continue;
        }
        kept[columns.count] = ids[i];
        kept_hashes[columns.count] = hashes[i];
        outcome_add(&columns, outcomes[i], NULL);
        columns.replies[columns.count - 1] = replies[i];
    }
    struct status st = insert(db, &FULFIL, kept, kept_hashes, &columns);
    if (!failed(st) && freed_count)
        st = db_queue(db, &FREE, PARAMS(p_byteas(freed, freed_count)));
    return st;
}

struct status inbox_prune(struct db *db, int64_t limit, int64_t *deleted)
{
    return db_execute(db, &PRUNE, PARAMS(p_int64(limit)), deleted);
}
