// The statements of services/order/store_*.c.

#include "tests/simulate/sql.h"
#include "tests/simulate/world.h"

#include <assert.h>

enum { PENDING = 1 };

static sqlstate nothing(struct query *query)
{
    (void)query;
    return NULL;
}

// There is no sink here.
static sqlstate sinks_behind(struct query *query)
{
    q_emit(query, 1)[0] = c_number(0);
    return NULL;
}

// store_order.c

static void emit_order(struct query *query, const struct order_version *o)
{
    struct cell *cells = q_emit(query, 12);
    cells[0] = c_number(o->id);
    cells[1] = c_number(o->user_id);
    cells[2] = c_or_null(o->saga_id);
    cells[3] = c_or_null(o->user_coupon_id);
    cells[4] = c_number(o->total);
    cells[5] = c_number(o->discount);
    cells[6] = c_number(o->created_at);
    cells[7] = c_number(o->expires_at);
    cells[8] = c_or_null(o->paid_at);
    cells[9] = c_number(o->version);
    cells[10] = c_number(o->status);
    cells[11] = c_text(o->reason);
}

static sqlstate order_load(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = table_find(&query->tables->orders, &ids[i]);
        if (row && row_seen(row, query->tx))
            emit_order(query, row_seen(row, query->tx));
    }
    return NULL;
}

static sqlstate order_lock(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        struct row *row = table_find(&query->tables->orders, &ids[i]);
        const void *version;
        if (!row || !row_seen(row, query->tx))
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        if (version)
            emit_order(query, version);
    }
    return NULL;
}

// SKIP LOCKED, first of the entries, then of their orders; what changed since the snapshot is looked at
// again.
static sqlstate order_lock_expired(struct query *query)
{
    int64_t left = q_number(query, 1), now = q_now(query);
    for (struct row *row = query->tables->pending.first; row && left > 0; row = row->next) {
        const struct pending_version *pending = row_seen(row, query->tx);
        const void *version = NULL;
        if (!pending || pending->expires_at > now)
            continue;
        if (!row_try_lock(query->tx, row, &version) || !version)
            continue;
        left--;
        struct row *order = table_find(&query->tables->orders, &pending->order_id);
        if (!order || !row_try_lock(query->tx, order, &version) || !version)
            continue;
        const struct order_version *o = version;
        if (o->status == PENDING)
            emit_order(query, o);
    }
    return NULL;
}

static sqlstate order_load_lines(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++)
        for (struct row *row = table_group(&query->tables->line, ids[i]); row;
             row = row->next_of_group) {
            const struct line_version *line = row_seen(row, query->tx);
            if (!line || line->order_id != ids[i])
                continue;
            struct cell *cells = q_emit(query, 7);
            cells[0] = c_number(line->order_id);
            cells[1] = c_number(line->option_id);
            cells[2] = c_number(line->product_id);
            cells[3] = c_number(line->price);
            cells[4] = c_number(line->quantity);
            cells[5] = c_text(line->product_name);
            cells[6] = c_text(line->option_name);
        }
    return NULL;
}

static sqlstate order_load_changes(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++)
        for (struct row *row = table_group(&query->tables->change, ids[i]); row;
             row = row->next_of_group) {
            const struct change_version *change = row_seen(row, query->tx);
            if (!change || change->order_id != ids[i])
                continue;
            struct cell *cells = q_emit(query, 4);
            cells[0] = c_number(change->order_id);
            cells[1] = c_number(change->status);
            cells[2] = c_number(change->at);
            cells[3] = c_text(change->reason);
        }
    return NULL;
}

// The CHECKs of the table.
static bool is_sound(const struct order_version *o)
{
    bool paid = (o->status >= 4 && o->status <= 6) || o->status == 11 || o->status == 12;
    return o->total >= 0 && o->discount >= 0 && o->discount <= o->total &&
           (o->discount == 0 || o->user_coupon_id) && (o->paid_at != 0) == paid;
}

static sqlstate order_insert(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 1); i++) {
        struct order_version order = {
            .id = q_numbers(query, 1, i),
            .user_id = q_numbers(query, 2, i),
            .saga_id = q_numbers(query, 3, i),
            .user_coupon_id = q_numbers(query, 4, i),
            .total = q_numbers(query, 5, i),
            .discount = q_numbers(query, 6, i),
            .created_at = q_numbers(query, 7, i),
            .expires_at = q_numbers(query, 8, i),
            .paid_at = q_numbers(query, 9, i),
            .version = q_numbers(query, 10, i),
            .status = q_numbers(query, 11, i),
            .reason = q_texts(query, 12, i),
        };
        sqlstate state =
            is_sound(&order) ? table_insert(query->tx, &query->tables->orders, &order) : "23514";
        if (state)
            return state;
    }
    return NULL;
}

static sqlstate order_update(struct query *query)
{
    struct table *table = &query->tables->orders;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t id = q_numbers(query, 1, i);
        struct row *row = table_find(table, &id);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct order_version *order = row_change(query->tx, table, row);
        order->saga_id = q_numbers(query, 2, i);
        order->user_coupon_id = q_numbers(query, 3, i);
        order->discount = q_numbers(query, 4, i);
        order->paid_at = q_numbers(query, 5, i);
        order->version = q_numbers(query, 6, i);
        order->status = q_numbers(query, 7, i);
        order->reason = q_texts(query, 8, i);
        if (!is_sound(order))
            return "23514";
    }
    return NULL;
}

static sqlstate order_insert_lines(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct line_version line = {
            .order_id = q_numbers(query, 1, i),
            .line = q_numbers(query, 2, i),
            .option_id = q_numbers(query, 3, i),
            .product_id = q_numbers(query, 4, i),
            .price = q_numbers(query, 5, i),
            .quantity = q_numbers(query, 6, i),
            .product_name = q_texts(query, 7, i),
            .option_name = q_texts(query, 8, i),
        };
        state = table_insert(query->tx, &query->tables->line, &line);
    }
    return state;
}

static sqlstate order_insert_changes(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct change_version change = {
            .order_id = q_numbers(query, 1, i),
            .version = q_numbers(query, 2, i),
            .status = q_numbers(query, 3, i),
            .at = q_numbers(query, 4, i),
            .reason = q_texts(query, 5, i),
        };
        state = table_insert(query->tx, &query->tables->change, &change);
    }
    return state;
}

static sqlstate order_find_live(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = table_find(&query->tables->orders, &ids[i]);
        const struct order_version *order = row ? row_seen(row, query->tx) : NULL;
        if (order && order->status != 8 && order->status != 9 && order->status != 10 &&
            order->status != 12)
            q_emit(query, 1)[0] = c_number(order->id);
    }
    return NULL;
}

// store_pending.c

static sqlstate pending_insert(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct pending_version pending = {q_numbers(query, 1, i), q_numbers(query, 2, i)};
        state = table_insert(query->tx, &query->tables->pending, &pending);
    }
    return state;
}

static sqlstate order_lock_users(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    sqlstate state = NULL;
    for (size_t i = 0; i < count && !state; i++) {
        struct user_lock_version lock = {ids[i]};
        struct row *row;
        bool inserted;
        state = table_insert_or_lock(query->tx, &query->tables->user_lock, &lock, &row, &inserted);
    }
    return state;
}

static int64_t count_open_of(const struct query *query, int64_t user_id)
{
    int64_t count = 0;
    for (const struct row *row = query->tables->orders.first; row; row = row->next) {
        const struct order_version *order = row_seen(row, query->tx);
        count += order && order->user_id == user_id && order->id >= q_number(query, 2) &&
                 order->status <= 3;
    }
    return count < q_number(query, 3) ? count : q_number(query, 3);
}

static sqlstate order_count_open(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 1); i++)
        q_emit(query, 1)[0] = c_number(count_open_of(query, q_numbers(query, 1, i)));
    return NULL;
}

static sqlstate pending_delete(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t id = q_numbers(query, 1, i);
        struct row *row = table_find(&query->tables->pending, &id);
        const void *version;
        if (!row || !row_seen(row, query->tx))
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        row_delete(row);
    }
    return NULL;
}

// store_payment.c

static sqlstate payment_load(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++)
        for (struct row *row = table_group(&query->tables->payment, ids[i]); row;
             row = row->next_of_group) {
            const struct payment_version *p = row_seen(row, query->tx);
            if (!p || p->order_id != ids[i])
                continue;
            struct cell *cells = q_emit(query, 8);
            cells[0] = c_number(p->order_id);
            cells[1] = c_number(p->id);
            cells[2] = c_number(p->amount);
            cells[3] = c_number(p->created_at);
            cells[4] = c_or_null(p->completed_at);
            cells[5] = c_number(p->version);
            cells[6] = c_number(p->status);
            cells[7] = c_text(p->reason);
        }
    return NULL;
}

// History comes by payment: the attempts of an order are few, and each wrote its entries in order.
static sqlstate payment_load_changes(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++)
        for (struct row *of = table_group(&query->tables->payment, ids[i]); of;
             of = of->next_of_group) {
            const struct payment_version *payment = row_seen(of, query->tx);
            if (!payment || payment->order_id != ids[i])
                continue;
            for (struct row *row = table_group(&query->tables->payment_change, ids[i]); row;
                 row = row->next_of_group) {
                const struct payment_change_version *change = row_seen(row, query->tx);
                if (!change || change->payment_id != payment->id)
                    continue;
                struct cell *cells = q_emit(query, 6);
                cells[0] = c_number(change->order_id);
                cells[1] = c_number(change->payment_id);
                cells[2] = c_number(change->from);
                cells[3] = c_number(change->to);
                cells[4] = c_number(change->at);
                cells[5] = c_text(change->reason);
            }
        }
    return NULL;
}

static sqlstate payment_find_last(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        int64_t last = 0;
        for (struct row *row = table_group(&query->tables->payment, ids[i]); row;
             row = row->next_of_group) {
            const struct payment_version *p = row_seen(row, query->tx);
            if (p && p->order_id == ids[i] && p->id > last)
                last = p->id;
        }
        if (!last)
            continue;
        struct cell *cells = q_emit(query, 2);
        cells[0] = c_number(ids[i]);
        cells[1] = c_number(last);
    }
    return NULL;
}

static bool is_paid(const struct payment_version *payment)
{
    return payment->status == 3 || payment->status == 6;
}

// The unique index: at most one attempt of an order is COMPLETED or REFUNDED.
static sqlstate check_one_paid(struct query *query, const struct payment_version *payment)
{
    if (!is_paid(payment))
        return NULL;
    for (struct row *row = table_group(&query->tables->payment, payment->order_id); row;
         row = row->next_of_group) {
        const struct payment_version *other = row_seen(row, query->tx);
        if (other && other->order_id == payment->order_id && other->id != payment->id &&
            is_paid(other))
            return "23505";
    }
    return NULL;
}

static sqlstate payment_insert(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct payment_version payment = {
            .id = q_numbers(query, 1, i),
            .order_id = q_numbers(query, 2, i),
            .amount = q_numbers(query, 3, i),
            .created_at = q_numbers(query, 4, i),
            .completed_at = q_numbers(query, 5, i),
            .version = q_numbers(query, 6, i),
            .status = q_numbers(query, 7, i),
            .reason = q_texts(query, 8, i),
        };
        state = table_insert(query->tx, &query->tables->payment, &payment);
    }
    return state;
}

static sqlstate payment_update(struct query *query)
{
    struct table *table = &query->tables->payment;
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        int64_t key[2] = {q_numbers(query, 1, i), q_numbers(query, 2, i)};
        struct row *row = table_find(table, key);
        const void *version;
        state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct payment_version *payment = row_change(query->tx, table, row);
        payment->amount = q_numbers(query, 3, i);
        payment->completed_at = q_numbers(query, 4, i);
        payment->version = q_numbers(query, 5, i);
        payment->status = q_numbers(query, 6, i);
        payment->reason = q_texts(query, 7, i);
        state = check_one_paid(query, payment);
    }
    return state;
}

static sqlstate payment_insert_changes(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct payment_change_version change = {
            .order_id = q_numbers(query, 1, i),
            .payment_id = q_numbers(query, 2, i),
            .version = q_numbers(query, 3, i),
            .from = q_numbers(query, 4, i),
            .to = q_numbers(query, 5, i),
            .at = q_numbers(query, 6, i),
            .reason = q_texts(query, 7, i),
        };
        state = table_insert(query->tx, &query->tables->payment_change, &change);
    }
    return state;
}

// store_saga.c

enum { FIRST_FINAL = 2, SAGA_COLUMNS = 17 };

static sqlstate saga_insert(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct saga_version saga = {
            .id = q_numbers(query, 1, i),
            .order_id = q_numbers(query, 2, i),
            .order_version = q_numbers(query, 3, i),
            .created_at = q_numbers(query, 4, i),
            .updated_at = q_numbers(query, 4, i),
            .lease_until = q_numbers(query, 5, i),
            .kind = q_texts(query, 6, i),
            .owner = q_texts(query, 7, i),
            .context = q_bytes(query, 8, i),
        };
        state = table_insert(query->tx, &query->tables->saga, &saga);
    }
    return state;
}

static void emit_saga(struct query *query, const struct saga_version *s)
{
    struct cell *cells = q_emit(query, SAGA_COLUMNS + 1);
    cells[0] = c_number(s->id);
    cells[1] = c_number(s->order_id);
    cells[2] = c_number(s->created_at);
    cells[3] = c_number(s->updated_at);
    cells[4] = c_number(s->attempts);
    cells[5] = c_text(s->kind);
    cells[6] = c_text(s->owner);
    cells[7] = c_text(s->step);
    cells[8] = c_number(s->state);
    cells[9] = c_number(s->held);
    cells[10] = c_number(s->parked);
    cells[11] = c_number(s->failure_code);
    cells[12] = c_text(s->failure_reason);
    cells[13] = c_text(s->failure_message);
    cells[14] = c_bytes(s->context);
    cells[15] = c_bytes(s->timeline);
    cells[16] = c_number(s->order_version);
    cells[SAGA_COLUMNS] = c_number(q_now(query)); // taking over asks for it
}

static sqlstate saga_lock(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        struct row *row = table_find(&query->tables->saga, &ids[i]);
        const void *version;
        if (!row || !row_seen(row, query->tx))
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        emit_saga(query, version);
    }
    return NULL;
}

static sqlstate saga_update(struct query *query)
{
    struct table *table = &query->tables->saga;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t id = q_numbers(query, 1, i);
        struct row *row = table_find(table, &id);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct saga_version *saga = row_change(query->tx, table, row);
        saga->updated_at = q_numbers(query, 2, i);
        saga->attempts = q_numbers(query, 3, i);
        saga->state = q_numbers(query, 4, i);
        saga->held = q_numbers(query, 5, i) != 0;
        saga->parked = q_numbers(query, 6, i) != 0;
        saga->failure_code = q_numbers(query, 7, i);
        saga->step = q_texts(query, 8, i);
        saga->failure_reason = q_texts(query, 9, i);
        saga->failure_message = q_texts(query, 10, i);
        saga->timeline = q_bytes(query, 11, i);
    }
    return NULL;
}

typedef bool saga_test(const struct query *query, const struct saga_version *saga);

// SKIP LOCKED, and a second look at what is locked now.
static struct saga_version *claim_row(struct query *query, struct row *row, saga_test *fits)
{
    const struct saga_version *seen = row ? row_seen(row, query->tx) : NULL;
    const void *version;
    if (!seen || !fits(query, seen) || !row_try_lock(query->tx, row, &version) ||
        !fits(query, version))
        return NULL;
    return row_change(query->tx, &query->tables->saga, row);
}

static bool is_owned(const struct query *query, const struct saga_version *saga)
{
    return saga->state < FIRST_FINAL && strcmp(saga->owner, q_text(query, 1)) == 0;
}

static bool needs_renewal(const struct query *query, const struct saga_version *saga)
{
    return is_owned(query, saga) && saga->lease_until < q_now(query) + q_number(query, 3) * 500;
}

static sqlstate saga_renew(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 2); i++) {
        int64_t id = q_numbers(query, 2, i);
        struct saga_version *saga =
            claim_row(query, table_find(&query->tables->saga, &id), needs_renewal);
        if (saga)
            saga->lease_until = q_after(query, 3);
    }
    return NULL;
}

static sqlstate saga_release(struct query *query)
{
    for (struct row *row = query->tables->saga.first; row; row = row->next) {
        struct saga_version *saga = claim_row(query, row, is_owned);
        if (saga)
            saga->lease_until = q_now(query);
    }
    return NULL;
}

// The part of an owner before '#': its replica.
static bool same_replica(const char *a, const char *b)
{
    size_t length = strcspn(a, "#");
    return strcspn(b, "#") == length && strncmp(a, b, length) == 0;
}

static bool may_take_over(const struct query *query, const struct saga_version *saga)
{
    const char *owner = q_text(query, 1);
    if (saga->state >= FIRST_FINAL)
        return false;
    return saga->lease_until <= q_now(query) ||
           (strcmp(saga->owner, owner) != 0 && same_replica(saga->owner, owner));
}

static sqlstate saga_take_over(struct query *query)
{
    int64_t left = q_number(query, 3);
    for (struct row *row = query->tables->saga.first; row && left > 0; row = row->next) {
        struct saga_version *saga = claim_row(query, row, may_take_over);
        if (!saga)
            continue;
        saga->owner = world_text(q_text(query, 1));
        saga->lease_until = q_after(query, 2);
        emit_saga(query, saga);
        left--;
    }
    return NULL;
}

static const struct sql ROWS[] = {
    {"sinks_behind",           0x55b8361b, sinks_behind          },
    {"sink_event_prune",       0x2414be66, nothing               },
    {"order_load",             0xfcc4ca47, order_load            },
    {"order_lock",             0x4d65f691, order_lock            },
    {"order_lock_expired",     0xb7a34cd6, order_lock_expired    },
    {"order_load_lines",       0xa73cb30e, order_load_lines      },
    {"order_load_changes",     0xea5bf26b, order_load_changes    },
    {"order_insert",           0x0c180745, order_insert          },
    {"order_update",           0xac467b4d, order_update          },
    {"order_insert_lines",     0xcf3f48c4, order_insert_lines    },
    {"order_insert_changes",   0x9d73e680, order_insert_changes  },
    {"order_find_live",        0x501497ac, order_find_live       },
    {"order_make_partitions",  0x39fb0de1, nothing               },
    {"order_lock_users",       0x229308d9, order_lock_users      },
    {"order_count_open",       0x82c1c5bb, order_count_open      },
    {"pending_insert",         0x1d894307, pending_insert        },
    {"pending_delete",         0x7b67a951, pending_delete        },
    {"payment_load",           0xfb2ef6c2, payment_load          },
    {"payment_load_changes",   0xafa4fdf4, payment_load_changes  },
    {"payment_find_last",      0x730e0bee, payment_find_last     },
    {"payment_insert",         0xe8983d17, payment_insert        },
    {"payment_update",         0xe5dc5478, payment_update        },
    {"payment_insert_changes", 0x6d81e1ea, payment_insert_changes},
    {"saga_insert",            0xbf62c653, saga_insert           },
    {"saga_lock",              0x96f85a57, saga_lock             },
    {"saga_update",            0x19dd393e, saga_update           },
    {"saga_renew",             0xba57ac80, saga_renew            },
    {"saga_release",           0x55c21bb3, saga_release          },
    {"saga_take_over",         0x52322924, saga_take_over        },
    {"saga_prune",             0x319f12be, nothing               },
};

const struct sql_list sql_order = {ROWS, COUNT(ROWS)};
