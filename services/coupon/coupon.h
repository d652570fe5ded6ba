#pragma once
// The rules of coupons (SPEC 5), pure: who may claim, what a coupon is worth, what may become of it.

#include "lib/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum coupon_type { COUPON_FIXED = 1, COUPON_PERCENT = 2 };

enum coupon_status {
    COUPON_AVAILABLE = 1,
    COUPON_HELD = 2,
    COUPON_USED = 3,
    COUPON_EXPIRED = 4,
    COUPON_CANCELLED = 5,
};

enum coupon_event {
    COUPON_HOLD,    // an order wants it
    COUPON_REDEEM,  // its order is being paid
    COUPON_RESTORE, // its order does not need it any more
    COUPON_EXPIRE,  // its validity is over
    COUPON_CANCEL,  // an admin takes it away
    COUPON_EVENT_COUNT,
};

// A campaign. `value` is in hundredths: of a won (whole won only) or of a percent.
struct campaign {
    int64_t id;
    const char *name;
    const char *code;
    enum coupon_type type;
    int64_t value;
    int64_t max_discount_won; // 0: none
    int64_t min_order_won;
    int64_t total_quantity;
    int64_t claimed;
    int64_t starts_at_us, ends_at_us; // claims in [starts, ends]
    int64_t valid_days;               // from the claim; 0: until last_day
    int64_t last_day_us;              // the last day of validity, inclusive; 0: none
    int64_t epoch;                    // grows with each change by an admin
    bool claimed_by_caller;
    bool changed;
};

// One user's coupon of a campaign.
struct user_coupon {
    int64_t id;
    int64_t user_id;
    int64_t rank; // 1 for the first claim
    enum coupon_status status;
    int64_t order_id; // of HELD and USED; 0: none
    int64_t discount_won;
    int64_t issued_at_us, expires_at_us;
    int64_t held_until_us; // of HELD; 0: none
    int64_t used_at_us;    // 0: not used
    struct campaign *campaign;
    bool changed;
};

// What an order wants of a coupon.
struct coupon_wish {
    int64_t user_id;
    int64_t order_id;
    int64_t amount_won;
    bool has_another; // the order has another coupon, HELD or USED: one per order
    bool given_back;  // the order has given back what it had: it wants no reservation any more
    bool again;       // to redeem: the order may have done so before, and nobody remembers
};

// One row of a coupon's history.
struct coupon_entry {
    int64_t coupon_id;
    const char *change; // ISSUED, HELD, USED, RESTORED, EXPIRED, CANCELLED
    int64_t order_id;   // 0: none
};

// Checks what an admin entered. VALIDATION_ERROR names the field.
struct status campaign_check(const struct campaign *campaign);

// COUPON_SOLD_OUT, by whomever it is said.
struct status campaign_sold_out(void);

// Takes the next rank for a user who has (not) claimed before and fills in the coupon but its id.
// Refusals: COUPON_WINDOW_CLOSED, COUPON_ALREADY_CLAIMED, COUPON_SOLD_OUT.
struct status campaign_claim(struct campaign *campaign, int64_t user_id, bool claimed_before,
                             int64_t now_us, struct user_coupon *coupon);

// floor(amount * percent) or the fixed value, at most the maximum discount, at most the amount.
int64_t campaign_discount(const struct campaign *campaign, int64_t amount_won);

// Where an event leads; false for an edge that is not drawn.
bool coupon_next(enum coupon_status from, enum coupon_event event, enum coupon_status *to);

// Whether the coupon is HELD or USED by the order.
bool coupon_belongs_to(const struct user_coupon *coupon, int64_t order_id);

// Reserves the coupon for an order until held_until_us; again for the same order: nothing changes.
// Refusal: COUPON_NOT_USABLE (another user's, used, expired, reserved elsewhere, below the minimum,
// not the order's only one, given back already).
struct status coupon_hold(struct user_coupon *coupon, const struct coupon_wish *wish,
                          int64_t now_us, int64_t held_until_us);

// Uses the coupon for an order; one that it has used stays so if the wish may come again. A refusal
// gives a coupon that the order had reserved back.
struct status coupon_redeem(struct user_coupon *coupon, const struct coupon_wish *wish,
                            int64_t now_us);

// Gives a coupon that the order has reserved or used back; any other stays as it is.
void coupon_restore(struct user_coupon *coupon, int64_t order_id);

// ILLEGAL_TRANSITION for one that is cancelled already.
struct status coupon_cancel(struct user_coupon *coupon);

// "AVAILABLE" for COUPON_AVAILABLE; the status with that name (must exist).
const char *coupon_status_name(enum coupon_status status);
enum coupon_status coupon_status_parse(const char *name);

// "redeem" for COUPON_REDEEM.
const char *coupon_event_name(enum coupon_event event);

// "PERCENT" for COUPON_PERCENT; the type with that name (must exist).
const char *coupon_type_name(enum coupon_type type);
enum coupon_type coupon_type_parse(const char *name);

// What history says of a coupon's first status; of a change from one status to another, with the order
// that has, or had, the coupon.
struct coupon_entry coupon_issued(const struct user_coupon *coupon);
struct coupon_entry coupon_changed(const struct user_coupon *before,
                                   const struct user_coupon *after);
