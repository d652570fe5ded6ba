// Every row is found again by where its first version stands: keys never change, and a row that is
// deleted, or whose insert was rolled back, keeps its place for the next one with its key.

#include "tests/simulate/store.h"

#include "tests/simulate/world.h"

#include <string.h>

enum { DAWDLE_ONCE_IN = 16, DAWDLE_MAX_US = 1000 };

// A fiber that waits for the end of a transaction. Not on its own stack: that may go with its process.
struct store_waiter {
    struct fiber *fiber;
    uint64_t turn;
    struct store_waiter *next;
};

// Transactions

void transaction_begin(struct transaction *tx, struct database *database)
{
    *tx = (struct transaction){.database = database, .deadline_us = INT64_MAX};
    tx->next = database->active;
    if (tx->next)
        tx->next->previous = tx;
    database->active = tx;
}

static void leave(struct transaction *tx)
{
    if (tx->previous)
        tx->previous->next = tx->next;
    else
        tx->database->active = tx->next;
    if (tx->next)
        tx->next->previous = tx->previous;
    tx->ended = true;
    while (tx->waiters) {
        struct store_waiter *waiter = tx->waiters;
        tx->waiters = waiter->next;
        fiber_wake(waiter->fiber, waiter->turn);
    }
}

void transaction_commit(struct transaction *tx)
{
    for (size_t i = 0; i < tx->touched_count; i++) {
        tx->touched[i]->committed = tx->touched[i]->pending;
        tx->touched[i]->owner = NULL;
    }
    leave(tx);
}

void transaction_rollback(struct transaction *tx)
{
    for (size_t i = 0; i < tx->touched_count; i++)
        tx->touched[i]->owner = NULL;
    leave(tx);
}

int64_t transaction_xid(struct transaction *tx)
{
    if (!tx->xid)
        tx->xid = ++tx->database->next_xid;
    return tx->xid;
}

int64_t database_xmin(const struct database *database)
{
    int64_t xmin = database->next_xid + 1;
    for (const struct transaction *tx = database->active; tx; tx = tx->next)
        if (tx->xid && tx->xid < xmin)
            xmin = tx->xid;
    return xmin;
}

static bool is_circle(const struct transaction *tx, const struct transaction *owner)
{
    while (owner && owner != tx)
        owner = owner->waits_for;
    return owner == tx;
}

void transaction_lose(struct transaction *tx)
{
    tx->lost = true;
}

// Waits for the end of another transaction.
static sqlstate wait_for(struct transaction *tx, struct transaction *owner)
{
    if (is_circle(tx, owner))
        return "40P01";
    struct store_waiter *own = world_alloc(sizeof(*own));
    *own = (struct store_waiter){
        .fiber = fiber_now(), .turn = fiber_turn(fiber_now()) + 1, .next = owner->waiters};
    owner->waiters = own;
    tx->waits_for = owner;
    bool woken = fiber_park(tx->deadline_us);
    tx->waits_for = NULL;
    if (!woken)
        for (struct store_waiter **link = &owner->waiters; *link; link = &(*link)->next)
            if (*link == own) {
                *link = own->next;
                break;
            }
    if (tx->lost)
        return "57P01";
    return woken ? NULL : "57014";
}

// Rows

static void touch(struct transaction *tx, struct row *row)
{
    if (tx->touched_count == tx->touched_capacity) {
        size_t capacity = tx->touched_capacity ? 2 * tx->touched_capacity : 16;
        struct row **grown = world_alloc(capacity * sizeof(struct row *));
        if (tx->touched_count)
            memcpy(grown, tx->touched, tx->touched_count * sizeof(struct row *));
        tx->touched = grown;
        tx->touched_capacity = capacity;
    }
    tx->touched[tx->touched_count++] = row;
    row->owner = tx;
    row->pending = row->committed;
    transaction_xid(tx);
}

static size_t slot_of_key(const struct table *table, const void *key)
{
    const unsigned char *bytes = key;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < table->key_size; i += 8) {
        uint64_t word = 0;
        size_t left = table->key_size - i;
        memcpy(&word, bytes + i, left < 8 ? left : 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash % STORE_SLOTS;
}

static size_t slot_of_group(int64_t group)
{
    uint64_t hash = (uint64_t)group * UINT64_C(0x9e3779b97f4a7c15);
    return (hash >> 32) % STORE_SLOTS;
}

int64_t row_group(const struct table *table, const void *version)
{
    int64_t group;
    memcpy(&group, (const unsigned char *)version + table->group, sizeof(group));
    return group;
}

struct row *table_find(const struct table *table, const void *key)
{
    struct row *row = table->by_key[slot_of_key(table, key)];
    while (row && memcmp(row->first, key, table->key_size) != 0)
        row = row->next_of_key;
    return row;
}

struct row *table_group(const struct table *table, int64_t group)
{
    return table->by_group[slot_of_group(group)];
}

// Statements take time: others may commit between a statement's snapshot and its lock.
static void dawdle(void)
{
    if (fiber_now() && chance_once_in(DAWDLE_ONCE_IN))
        fiber_park(world_now_us() + chance_between(0, DAWDLE_MAX_US));
}

sqlstate row_lock(struct transaction *tx, struct row *row, const void **version)
{
    dawdle();
    while (row->owner && row->owner != tx) {
        sqlstate state = wait_for(tx, row->owner);
        if (state)
            return state;
    }
    if (tx->lost)
        return "57P01";
    if (!row->owner)
        touch(tx, row);
    *version = row->pending;
    return NULL;
}

bool row_try_lock(struct transaction *tx, struct row *row, const void **version)
{
    *version = NULL;
    dawdle();
    if (tx->lost || (row->owner && row->owner != tx))
        return false;
    if (!row->owner)
        touch(tx, row);
    *version = row->pending;
    return true;
}

void *row_change(struct transaction *tx, struct table *table, struct row *row)
{
    (void)tx;
    void *copy = world_copy(row->pending, table->row_size);
    row->pending = copy;
    return copy;
}

void row_delete(struct row *row)
{
    row->pending = NULL;
}

// A row keeps its place by its first version: a key or a group never changes.
static struct row *add(struct table *table, const void *version)
{
    struct row *row = world_alloc(sizeof(*row));
    row->first = version;
    size_t slot = slot_of_key(table, version);
    row->next_of_key = table->by_key[slot];
    table->by_key[slot] = row;
    if (table->group != NO_GROUP) {
        slot = slot_of_group(row_group(table, version));
        if (table->last_of_group[slot])
            table->last_of_group[slot]->next_of_group = row;
        else
            table->by_group[slot] = row;
        table->last_of_group[slot] = row;
    }
    if (table->last)
        table->last->next = row;
    else
        table->first = row;
    table->last = row;
    return row;
}

sqlstate table_insert_or_lock(struct transaction *tx, struct table *table, const void *version,
                              struct row **out, bool *inserted)
{
    struct row *row = table_find(table, version);
    const void *found = NULL;
    *inserted = false;
    if (row) {
        sqlstate state = row_lock(tx, row, &found);
        if (state)
            return state;
    }
    *out = row;
    if (found)
        return NULL;
    const void *copy = world_copy(version, table->row_size);
    if (!row) {
        row = add(table, copy);
        touch(tx, row);
        *out = row;
    }
    row->pending = copy;
    *inserted = true;
    return NULL;
}

// Whoever inserts locks nothing that is there: it only waits until it knows.
sqlstate table_insert(struct transaction *tx, struct table *table, const void *version)
{
    struct row *row = table_find(table, version);
    while (row && row->owner && row->owner != tx) {
        sqlstate state = wait_for(tx, row->owner);
        if (state)
            return state;
    }
    if (row && row_seen(row, tx))
        return "23505";
    bool inserted; // not, when another was faster in the place of a row that is gone
    sqlstate state = table_insert_or_lock(tx, table, version, &row, &inserted);
    return state || inserted ? state : "23505";
}
