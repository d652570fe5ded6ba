#pragma once
// The tables of the four databases, as far as the simulated paths use them: the columns of the
// migrations, without those that nothing here reads. Each begins with its key. SQL NULL is 0 for
// numbers (no column has both) and NULL for texts. Texts live as long as the run.

#include "lib/db/db.h"
#include "tests/simulate/store.h"

// lib/saga, lib/bus: in every database
struct barrier_version {
    int64_t saga_id;
    char step[24];
    int64_t op;
    int64_t code;
    const char *reason, *field, *message;
    struct bytes reply;
};

struct key_version {
    uint8_t id[16];
    struct bytes request_hash;
    int64_t code;
    const char *reason, *field, *message;
    struct bytes reply;
};

struct outbox_version {
    int64_t id;
    int64_t key, occurred_at, txid;
    const char *kind;
    struct bytes payload;
};

struct cursor_version {
    char consumer[16];
    int64_t last_id;
};

struct partition_version {
    int64_t partition;
    const char *owner;
    int64_t lease_until;
};

struct replica_version {
    char instance[16];
    int64_t alive_until;
};

// product, coupon: orders that gave back
struct given_back_version {
    int64_t order_id;
    int64_t at;
};

// user
struct wallet_version {
    int64_t user_id;
    int64_t balance, version, updated_at;
};

struct entry_version {
    int64_t id;
    int64_t user_id, number, amount, before, after, ref_id;
    const char *type;
};

struct moved_version {
    int64_t order_id;
    char type[8];
    int64_t user_id, amount;
};

// product
struct option_version {
    int64_t id;
    int64_t product_id, price, total, held;
    bool orderable;
};

struct hold_version {
    int64_t order_id, option_id;
    int64_t quantity, expires_at;
    const char *status;
};

struct movement_version {
    int64_t id;
    int64_t option_id, delta, order_id;
};

struct sales_version {
    int64_t hour, product_id, option_id;
    int64_t units, last_paid_at;
};

// coupon
struct campaign_version {
    int64_t id;
    int64_t value, max_discount, min_order, total_quantity, claimed, starts_at, ends_at, valid_days;
    const char *type;
};

struct coupon_version {
    int64_t id;
    int64_t campaign_id, user_id, rank, order_id, discount, issued_at, expires_at, held_until,
        used_at;
    const char *status;
};

struct coupon_history_version {
    int64_t id;
    int64_t coupon_id, order_id;
    const char *change;
};

// order
struct user_lock_version {
    int64_t user_id; // a row stands for the advisory lock of its id
};

struct order_version {
    int64_t id;
    int64_t user_id, saga_id, user_coupon_id, total, discount, created_at, expires_at, paid_at,
        version, status;
    const char *reason;
};

struct pending_version {
    int64_t order_id;
    int64_t expires_at;
};

struct line_version {
    int64_t order_id, line;
    int64_t option_id, product_id, price, quantity;
    const char *product_name, *option_name;
};

struct change_version {
    int64_t order_id, version;
    int64_t status, at;
    const char *reason;
};

struct payment_version {
    int64_t id, order_id;
    int64_t amount, created_at, completed_at, version, status;
    const char *reason;
};

struct payment_change_version {
    int64_t order_id, payment_id, version;
    int64_t from, to, at;
    const char *reason;
};

struct saga_version {
    int64_t id;
    int64_t order_id, order_version, created_at, updated_at, lease_until, attempts, state,
        failure_code;
    bool held, parked;
    const char *kind, *owner, *step, *failure_reason, *failure_message;
    struct bytes context, timeline;
};

// A sequence is not rolled back. It writes ahead that it has come 32 values further than it has, so it
// skips some in a crash, and goes back only by what was written and not made durable by any commit.
struct sequence {
    const char *name;
    int64_t value, written, durable;
};

enum { SEQUENCES = 6 };

struct tables {
    struct table barrier, idempotency, outbox, cursor, partition, replica, given_back;
    struct table wallet, entry, moved;
    struct table option, hold, movement, sales;
    struct table campaign, coupon, coupon_history;
    struct table user_lock, orders, pending, line, change, payment, payment_change, saga;
    struct sequence sequences[SEQUENCES];
};

// Empty tables, in the memory of the run.
struct tables *tables_create(void);
// The next value of a sequence.
int64_t sequence_next(struct tables *tables, const char *name, int64_t increment);
int64_t sequence_last(const struct tables *tables, const char *name); // 0: none yet
void sequences_make_durable(struct tables *tables);
void sequences_crash(struct tables *tables);

// The four databases of the run.
extern struct database databases[];

// The next committed version at *at or after it, which moves on; NULL at the end.
const void *committed_next(const struct row **at);
