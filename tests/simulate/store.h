#pragma once
// A model of PostgreSQL's transactions over rows in memory: READ COMMITTED.
//
// A row has the version that is committed and, while a transaction has it locked, that transaction's
// own. Readers see what is committed when they look, and their own; writers lock a row first and wait
// for its owner's end. Unique keys meet uncommitted ones by waiting for them, too. A circle of waiters
// costs the last one its transaction (40P01). A commit is one instant; a rollback, or the death of
// whoever held the transaction, undoes everything.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transaction;
struct table;

// One row under one key. Versions are never changed in place: NULL means that there is no row.
struct row {
    struct row *next_of_key;   // rows whose keys share a slot
    struct row *next_of_group; // rows whose groups share a slot, in the order of their birth
    struct row *next;          // all rows of the table, in that order
    struct transaction *owner;
    const void *first; // its first version: where the key and the group stand for ever
    const void *committed, *pending;
};

enum { STORE_SLOTS = 256 };

// Rows start with their key; some tables are also looked up by an int64 at `group` (NO_GROUP: not).
#define NO_GROUP SIZE_MAX
struct table {
    size_t row_size, key_size, group;
    struct row *by_key[STORE_SLOTS];
    struct row *by_group[STORE_SLOTS], *last_of_group[STORE_SLOTS];
    struct row *first, *last;
};

struct database {
    const char *name;
    int64_t clock_offset_us;
    int64_t down_until_us; // of the world: nobody can connect before
    int64_t next_xid;
    struct transaction *active;
    struct tables *tables; // tables.h
};

struct transaction {
    struct database *database;
    int64_t xid; // 0: it has written nothing
    struct row **touched;
    size_t touched_count, touched_capacity;
    struct transaction *waits_for;
    struct store_waiter *waiters;
    bool ended;
    bool lost;           // its connection is gone: it cannot go on
    int64_t deadline_us; // of the world; when waiting is cancelled
    struct transaction *next, *previous;
};

// Why a statement failed; NULL: it did not.
typedef const char *sqlstate;

void transaction_begin(struct transaction *tx, struct database *database);
void transaction_commit(struct transaction *tx);
void transaction_rollback(struct transaction *tx);
// Ends the waiting of the fiber that works for it.
void transaction_lose(struct transaction *tx);

// The oldest transaction that writes, or the next to come: what every snapshot can see ends there.
int64_t database_xmin(const struct database *database);
int64_t transaction_xid(struct transaction *tx);

// The version that the transaction sees; NULL: none.
static inline const void *row_seen(const struct row *row, const struct transaction *tx)
{
    return row->owner == tx && tx ? row->pending : row->committed;
}

struct row *table_find(const struct table *table, const void *key);
// The first row whose group may be `group`; go on with next_of_group.
struct row *table_group(const struct table *table, int64_t group);
int64_t row_group(const struct table *table, const void *version);

// Locks the row and gives the newest version (NULL: there is none). Waits.
sqlstate row_lock(struct transaction *tx, struct row *row, const void **version);
// Locks unless another has it; *version is NULL then, too.
bool row_try_lock(struct transaction *tx, struct row *row, const void **version);

// A copy of the version that the transaction has locked, to be changed: the row's from now on.
void *row_change(struct transaction *tx, struct table *table, struct row *row);
void row_delete(struct row *row);

// Adds a row: 23505 when its key is taken.
sqlstate table_insert(struct transaction *tx, struct table *table, const void *version);
// The same for a row that is there: *inserted says which.
sqlstate table_insert_or_lock(struct transaction *tx, struct table *table, const void *version,
                              struct row **row, bool *inserted);
