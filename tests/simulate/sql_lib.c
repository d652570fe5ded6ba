// The statements of lib/saga, lib/bus and lib/db.

#include "tests/simulate/sql.h"
#include "tests/simulate/world.h"

#include <assert.h>

static sqlstate nothing(struct query *query)
{
    (void)query;
    return NULL;
}

// lib/db/ids.c

enum { ID_STEP = 1000 };

static sqlstate next_blocks(struct query *query)
{
    for (int64_t i = 0; i < q_number(query, 2); i++)
        q_emit(query, 1)[0] =
            c_number(sequence_next(query->tables, query->params[0].data, ID_STEP));
    return NULL;
}

static sqlstate flush_ids(struct query *query)
{
    sequences_make_durable(query->tables);
    q_emit(query, 1)[0] = c_number(1);
    return NULL;
}

// lib/saga/barrier.c

static sqlstate barrier_find(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    struct table *table = &query->tables->barrier;
    for (size_t i = 0; i < count; i++)
        for (struct row *row = table_group(table, ids[i]); row; row = row->next_of_group) {
            const struct barrier_version *b = row_seen(row, query->tx);
            if (!b || b->saga_id != ids[i])
                continue;
            struct cell *cells = q_emit(query, 8);
            cells[0] = c_number(b->saga_id);
            cells[1] = c_text(b->step);
            cells[2] = c_number(b->op);
            cells[3] = c_number(b->code);
            cells[4] = c_text(b->reason);
            cells[5] = c_text(b->field);
            cells[6] = c_text(b->message);
            cells[7] = c_bytes(b->reply);
        }
    return NULL;
}

static sqlstate barrier_insert(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct barrier_version b = {
            .saga_id = q_numbers(query, 1, i),
            .op = q_numbers(query, 3, i),
            .code = q_numbers(query, 4, i),
            .reason = q_texts(query, 5, i),
            .field = q_texts(query, 6, i),
            .message = q_texts(query, 7, i),
            .reply = q_bytes(query, 8, i),
        };
        copy_key(b.step, sizeof(b.step), ((const char *const *)query->params[1].data)[i]);
        state = table_insert(query->tx, &query->tables->barrier, &b);
    }
    return state;
}

// lib/bus/inbox.c

static const void *id_of(const struct query *query, size_t i)
{
    const struct bytes *ids = query->params[0].data;
    assert(ids[i].size == 16);
    return ids[i].data;
}

static sqlstate inbox_find(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 1); i++) {
        const struct row *row = table_find(&query->tables->idempotency, id_of(query, i));
        const struct key_version *key = row ? row_seen(row, query->tx) : NULL;
        bool again = false;
        for (size_t j = 0; j < i; j++)
            again |= memcmp(id_of(query, i), id_of(query, j), 16) == 0;
        if (!key || again)
            continue;
        struct cell *cells = q_emit(query, 7);
        cells[0] = c_bytes((struct bytes){key->id, sizeof(key->id)});
        cells[1] = c_bytes(key->request_hash);
        cells[2] = c_number(key->code);
        cells[3] = c_text(key->reason);
        cells[4] = c_text(key->field);
        cells[5] = c_text(key->message);
        cells[6] = c_bytes(key->reply);
    }
    return NULL;
}

static struct key_version key_of(const struct query *query, size_t i)
{
    struct key_version key = {
        .request_hash = q_bytes(query, 2, i),
        .code = q_numbers(query, 3, i),
        .reason = q_texts(query, 4, i),
        .field = q_texts(query, 5, i),
        .message = q_texts(query, 6, i),
        .reply = q_bytes(query, 7, i),
    };
    memcpy(key.id, id_of(query, i), sizeof(key.id));
    return key;
}

static sqlstate inbox_insert(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct key_version key = key_of(query, i);
        state = table_insert(query->tx, &query->tables->idempotency, &key);
    }
    return state;
}

static bool is_claim(const struct key_version *key)
{
    return strcmp(key->reason, "REQUEST_IN_PROGRESS") == 0;
}

static sqlstate inbox_fulfil(struct query *query)
{
    struct table *table = &query->tables->idempotency;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        struct key_version key = key_of(query, i);
        struct row *row;
        bool inserted;
        sqlstate state = table_insert_or_lock(query->tx, table, &key, &row, &inserted);
        if (state)
            return state;
        if (inserted || !is_claim(row->pending))
            continue;
        struct key_version *kept = row_change(query->tx, table, row);
        key.request_hash = kept->request_hash;
        *kept = key;
    }
    return NULL;
}

static sqlstate inbox_free(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 1); i++) {
        struct row *row = table_find(&query->tables->idempotency, id_of(query, i));
        const void *version;
        if (!row || !row_seen(row, query->tx))
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        if (version && is_claim(version))
            row_delete(row);
    }
    return NULL;
}

// lib/bus/outbox.c

// Ids are taken in the order in which transactions ask; when they commit is another matter.
static sqlstate outbox_append(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct outbox_version event = {
            .txid = transaction_xid(query->tx),
            .id = sequence_next(query->tables, "outbox_id", 1),
            .kind = q_texts(query, 1, i),
            .key = q_numbers(query, 2, i),
            .payload = q_bytes(query, 3, i),
            .occurred_at = q_now(query),
        };
        state = table_insert(query->tx, &query->tables->outbox, &event);
    }
    return state;
}

static sqlstate outbox_last_taken(struct query *query)
{
    q_emit(query, 1)[0] = c_number(sequence_last(query->tables, "outbox_id"));
    return NULL;
}

static sqlstate outbox_running(struct query *query)
{
    struct cell *cells = q_emit(query, 2);
    cells[0] = c_number(database_xmin(query->database));
    cells[1] = c_number(query->database->next_xid + 1);
    return NULL;
}

static sqlstate outbox_read(struct query *query)
{
    struct table *table = &query->tables->outbox;
    for (struct row *row = table->first; row; row = row->next) {
        const struct outbox_version *event = row_seen(row, query->tx);
        if (!event || event->id <= q_number(query, 1))
            continue;
        if ((int64_t)query->result->count == q_number(query, 2))
            break;
        struct cell *cells = q_emit(query, 5);
        cells[0] = c_number(event->id);
        cells[1] = c_text(event->kind);
        cells[2] = c_number(event->key);
        cells[3] = c_number(event->occurred_at);
        cells[4] = c_bytes(event->payload);
    }
    return NULL;
}

// lib/bus/consumer.c

static struct cursor_version cursor_of(const struct query *query)
{
    struct cursor_version cursor = {.last_id = 0};
    copy_key(cursor.consumer, sizeof(cursor.consumer), (const char *)query->params[0].data);
    return cursor;
}

static sqlstate consumer_register(struct query *query)
{
    struct cursor_version cursor = cursor_of(query);
    struct row *row = table_find(&query->tables->cursor, &cursor);
    bool inserted;
    if (row && row_seen(row, query->tx))
        return NULL;
    return table_insert_or_lock(query->tx, &query->tables->cursor, &cursor, &row, &inserted);
}

static sqlstate consumer_read(struct query *query)
{
    struct cursor_version key = cursor_of(query);
    const struct row *row = table_find(&query->tables->cursor, &key);
    const struct cursor_version *cursor = row ? row_seen(row, query->tx) : NULL;
    if (cursor)
        q_emit(query, 1)[0] = c_number(cursor->last_id);
    return NULL;
}

static sqlstate consumer_lock(struct query *query)
{
    struct cursor_version key = cursor_of(query);
    struct row *row = table_find(&query->tables->cursor, &key);
    const void *version;
    sqlstate state = row_lock(query->tx, row, &version);
    if (state)
        return state;
    const struct cursor_version *cursor = version;
    struct cell *cells = q_emit(query, 2);
    cells[0] = c_number(cursor->last_id);
    cells[1] = c_number(q_now(query));
    return NULL;
}

static sqlstate consumer_advance(struct query *query)
{
    struct cursor_version key = cursor_of(query);
    struct row *row = table_find(&query->tables->cursor, &key);
    const void *version;
    sqlstate state = row_lock(query->tx, row, &version);
    if (!state)
        ((struct cursor_version *)row_change(query->tx, &query->tables->cursor, row))->last_id =
            q_number(query, 2);
    return state;
}

// lib/bus/leases.c

static sqlstate leases_alive(struct query *query)
{
    struct replica_version replica = {.alive_until = q_after(query, 2)};
    struct table *table = &query->tables->replica;
    struct row *row;
    bool inserted;
    copy_key(replica.instance, sizeof(replica.instance), (const char *)query->params[0].data);
    sqlstate state = table_insert_or_lock(query->tx, table, &replica, &row, &inserted);
    if (!state && !inserted)
        *(struct replica_version *)row_change(query->tx, table, row) = replica;
    return state;
}

// count(*) of the living, and of those before us.
static sqlstate leases_rank(struct query *query)
{
    int64_t alive = 0, before = 0;
    for (struct row *row = query->tables->replica.first; row; row = row->next) {
        const struct replica_version *replica = row_seen(row, query->tx);
        if (!replica || replica->alive_until <= q_now(query))
            continue;
        alive++;
        before += strcmp(replica->instance, query->params[0].data) < 0;
    }
    struct cell *cells = q_emit(query, 2);
    cells[0] = c_number(alive);
    cells[1] = c_number(before);
    return NULL;
}

static sqlstate leases_load(struct query *query)
{
    for (struct row *row = query->tables->partition.first; row; row = row->next) {
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        const struct partition_version *p = version;
        struct cell *cells = q_emit(query, 3);
        cells[0] = c_number(p->partition);
        cells[1] = c_number(p->owner && strcmp(p->owner, query->params[0].data) == 0);
        cells[2] = c_number(!p->owner || p->lease_until <= q_now(query));
    }
    return NULL;
}

static sqlstate own_partitions(struct query *query, int ids, const char *owner, int64_t until)
{
    struct table *table = &query->tables->partition;
    for (size_t i = 0; i < q_count(query, ids); i++) {
        int64_t id = q_numbers(query, ids, i);
        struct row *row = table_find(table, &id);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct partition_version *partition = row_change(query->tx, table, row);
        partition->owner = owner;
        partition->lease_until = until;
    }
    return NULL;
}

static sqlstate leases_own(struct query *query)
{
    return own_partitions(query, 3, world_text(query->params[0].data), q_after(query, 2));
}

static sqlstate leases_give_back(struct query *query)
{
    return own_partitions(query, 1, NULL, 0);
}

static sqlstate leases_leave(struct query *query)
{
    char key[16];
    copy_key(key, sizeof(key), (const char *)query->params[0].data);
    struct row *row = table_find(&query->tables->replica, key);
    const void *version;
    if (!row || !row_seen(row, query->tx))
        return NULL;
    sqlstate state = row_lock(query->tx, row, &version);
    if (!state)
        row_delete(row);
    return state;
}

static sqlstate leases_give_all_back(struct query *query)
{
    struct table *table = &query->tables->partition;
    for (struct row *row = table->first; row; row = row->next) {
        const struct partition_version *seen = row_seen(row, query->tx);
        const void *version;
        if (!seen->owner || strcmp(seen->owner, query->params[0].data) != 0)
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct partition_version *partition = row_change(query->tx, table, row);
        partition->owner = NULL;
        partition->lease_until = 0;
    }
    return NULL;
}

sqlstate note_given_back(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    struct table *table = &query->tables->given_back;
    for (size_t i = 0; i < count; i++) {
        struct given_back_version note = {ids[i], q_now(query)};
        struct row *row = table_find(table, &note);
        bool inserted;
        if (row && row_seen(row, query->tx))
            continue;
        sqlstate state = table_insert_or_lock(query->tx, table, &note, &row, &inserted);
        if (state)
            return state;
    }
    return NULL;
}

static sqlstate read_clock(struct query *query)
{
    q_emit(query, 1)[0] = c_number(q_now(query));
    return NULL;
}

static const struct sql ROWS[] = {
    {"db_clock",             0x135404b1, read_clock          },
    {"ids_next_blocks",      0x1e68c22a, next_blocks         },
    {"ids_flush",            0x21444766, flush_ids           },
    {"barrier_find",         0xdc5a1ad8, barrier_find        },
    {"barrier_insert",       0x906d0c8a, barrier_insert      },
    {"barrier_prune",        0x8ae30958, nothing             },
    {"inbox_find",           0x4b83af93, inbox_find          },
    {"inbox_insert",         0x6d0bfbef, inbox_insert        },
    {"inbox_fulfil",         0x6029e562, inbox_fulfil        },
    {"inbox_free",           0x52e253da, inbox_free          },
    {"inbox_prune",          0x11a24664, nothing             },
    {"outbox_append",        0x7d363624, outbox_append       },
    {"outbox_last_taken",    0xafb843d5, outbox_last_taken   },
    {"outbox_running",       0xd5443bea, outbox_running      },
    {"outbox_read",          0x72021a29, outbox_read         },
    {"outbox_prune",         0x91e89e9f, nothing             },
    {"consumer_register",    0xfdebfe28, consumer_register   },
    {"consumer_read",        0xc73dc9ec, consumer_read       },
    {"consumer_lock",        0x571996b2, consumer_lock       },
    {"consumer_advance",     0x8ea912db, consumer_advance    },
    {"leases_alive",         0xa5237dd3, leases_alive        },
    {"leases_forget_dead",   0x2d2ed94f, nothing             },
    {"leases_rank",          0xd564402e, leases_rank         },
    {"leases_load",          0xfd87dc3c, leases_load         },
    {"leases_own",           0x717f717b, leases_own          },
    {"leases_give_back",     0x38e442fc, leases_give_back    },
    {"leases_leave",         0x510d6c2c, leases_leave        },
    {"leases_give_all_back", 0x89474265, leases_give_all_back},
};

const struct sql_list sql_lib = {ROWS, COUNT(ROWS)};
