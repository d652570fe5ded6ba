// The set of the orders that are PENDING: whoever changes an order's row keeps it, in the same
// transaction and under the lock of that row.

#include "services/order/store.h"

#include "lib/base/timeid.h"
#include "lib/db/columns.h"

static const struct statement INSERT = {
    "pending_insert",
    "INSERT INTO order_pending (order_id, expires_at)"
    " SELECT unnest($1::bigint[]), baro_time(unnest($2::bigint[]))",
};

static const struct statement DELETE = {
    "pending_delete",
    "DELETE FROM order_pending WHERE order_id = ANY($1::bigint[])",
};

struct status store_save_pending(struct db *db, struct arena *arena, struct order *const *orders,
                                 size_t count)
{
    struct columns enter, leave;
    columns_init(&enter, arena, count, 2, 0, 0);
    columns_init(&leave, arena, count, 1, 0, 0);
    for (size_t i = 0; i < count; i++) {
        const struct order *o = orders[i];
        bool pending = o->status == ORDER_PENDING;
        if (pending && !o->stored_pending)
            columns_add(&enter, (int64_t[]){o->id, o->expires_at_us}, NULL, NULL);
        else if (!pending && o->stored_pending)
            columns_add(&leave, (int64_t[]){o->id}, NULL, NULL);
    }
    struct status st = columns_queue(&enter, db, &INSERT);
    return failed(st) ? st : columns_queue(&leave, db, &DELETE);
}

// In the order of their ids, by a lock that ends with the transaction. A statement of its own: the one
// that counts must see what the last owner of the lock has written.
static const struct statement LOCK_USERS = {
    "order_lock_users", "SELECT pg_advisory_xact_lock(id)"
                        " FROM (SELECT DISTINCT unnest($1::bigint[]) AS id ORDER BY id)"};

struct status store_lock_users(struct db *db, const int64_t *user_ids, size_t count)
{
    return db_queue(db, &LOCK_USERS, PARAMS(p_int64s(user_ids, count)));
}

// PENDING, PAYING and HELD are 1 to 3. Reads no further than it must: what is older than an order lives,
// and what is more than the limit.
static const struct statement COUNT_OPEN = {
    "order_count_open",
    "SELECT (SELECT count(*) FROM (SELECT FROM orders o"
    "         WHERE o.user_id = w.user_id AND o.id >= $2::bigint AND o.status <= 3"
    "         LIMIT $3::bigint) AS found)"
    " FROM unnest($1::bigint[]) WITH ORDINALITY AS w(user_id, place) ORDER BY w.place",
};

struct status store_count_open(struct db *db, struct arena *arena, const int64_t *user_ids,
                               size_t count, int64_t since_us, int64_t limit, int64_t **open)
{
    struct rows rows;
    struct status st = db_query(
        db, &COUNT_OPEN,
        PARAMS(p_int64s(user_ids, count), p_int64(time_id_floor(since_us)), p_int64(limit)), &rows);
    if (!failed(st))
        *open = rows_int64s(&rows, 0, arena);
    return st;
}
