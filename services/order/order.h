#pragma once
// An order: its lines, its money, its states and the limits of SPEC 4. Pure: no I/O, no clock.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The numbers are those of proto/order.proto and of the database.
enum order_status {
    ORDER_PENDING = 1,
    ORDER_PAYING = 2,
    ORDER_HELD = 3,
    ORDER_PAID = 4,
    ORDER_PREPARING = 5,
    ORDER_SHIPPING = 6,
    ORDER_DELIVERED = 7,
    ORDER_FAILED = 8,
    ORDER_EXPIRED = 9,
    ORDER_CANCELLED = 10,
    ORDER_REFUNDING = 11,
    ORDER_REFUNDED = 12,
};

enum order_event {
    ORDER_PAY,       // a payment begins
    ORDER_COMPLETE,  // the payment is done
    ORDER_REFUSE,    // the payment was refused; another may follow
    ORDER_FAIL,      // a checkout was refused
    ORDER_LOSE_HOLD, // the hold was gone before its confirmation
    ORDER_GO_SILENT, // the outcome is not known for long
    ORDER_GIVE_UP,   // recovery gives everything back
    ORDER_EXPIRE,    // nobody paid in time
    ORDER_CANCEL,    // the user does not want it
    ORDER_REFUND,    // everything was given back after a cancel
    ORDER_PREPARE,
    ORDER_SHIP,
    ORDER_DELIVER,
    ORDER_EVENT_COUNT,
};

// "PAYING"; "" for a number that is no status.
const char *order_status_name(enum order_status status);

// "cancel"; for the diagrams and for messages.
const char *order_event_name(enum order_event event);

// Where the event leads; false (nothing written) for an edge that SPEC 2 does not draw.
bool order_next(enum order_status from, enum order_event event, enum order_status *to);

// The event by which an admin sets this status; false if no admin may.
bool order_admin_event(enum order_status wanted, enum order_event *event);

// EXPIRED, FAILED, CANCELLED, REFUNDED.
bool order_is_final(enum order_status status);

// One line as it was at order time.
struct order_line {
    int64_t option_id;
    int64_t product_id;
    int64_t price_won;
    int64_t quantity;
    const char *product_name;
    const char *option_name;
};

// A status that the order has had, and why.
struct order_change {
    enum order_status status;
    int64_t at_us;
    const char *reason; // NULL: none
};

struct payment;

struct order {
    int64_t id;
    int64_t user_id;
    int64_t saga_id;        // 0: no saga has worked for it yet
    int64_t user_coupon_id; // 0: none
    int64_t total_won;
    int64_t discount_won;
    int64_t created_at_us;
    int64_t expires_at_us;
    int64_t paid_at_us; // 0: not paid
    int64_t version;    // number of status changes, the unsaved ones included
    enum order_status status;
    const char *failure_reason; // NULL: none

    // Parts; those that were not loaded are empty.
    struct order_line *lines;
    size_t line_count;
    struct payment *payments;
    size_t payment_count;
    int64_t last_payment_id;      // 0: none, or not asked for
    struct order_change *changes; // the last `change_count` of `version`
    size_t change_count;
    size_t changes_saved; // of them, those that the store has
    bool stored;          // the order itself has a row
    bool stored_pending;  // that row says PENDING
};

int64_t order_final_won(const struct order *order);

// The place in the whole timeline, from 1, of an entry of `changes`.
int64_t order_change_version(const struct order *order, size_t change);

// Makes the event happen: status, paid_at, timeline. False, and nothing changed, for an edge that
// is not drawn. `reason` is borrowed as long as the order.
bool order_apply(struct order *order, struct arena *arena, enum order_event event,
                 const char *reason, int64_t now_us);

// A new order's first entry in its timeline: PENDING.
void order_begin(struct order *order, struct arena *arena, int64_t now_us);

enum {
    ORDER_UNITS_MAX = 30,         // per order
    ORDER_PRODUCT_UNITS_MAX = 10, // per product of an order
};

// What a user asks for; the same option twice is merged before the limits are checked.
struct wanted_line {
    int64_t option_id;
    int64_t quantity;
};

// Merges equal options in place, keeping the order of first mention, and checks what can be checked
// without the catalogue: at least one line, ids > 0, quantities >= 1, the limits per option and per
// order. VALIDATION_ERROR names the field.
struct status order_check_wanted(struct wanted_line *lines, size_t *count);

// The limit per product, once the products of the options are known.
struct status order_check_products(const struct order_line *lines, size_t count);

// Sum of price times quantity; VALIDATION_ERROR on overflow.
struct status order_total(const struct order_line *lines, size_t count, int64_t *total_won);

// May the owner pay this order now? ORDER_EXPIRED, ORDER_ALREADY_PAID, ORDER_NOT_PAYABLE.
struct status order_check_payable(const struct order *order, int64_t now_us);

// Refusal of an edge that is not drawn.
struct status order_illegal(struct arena *arena, const struct order *order, const char *wish);
