// A coupon's life is the table TRANSITIONS (SPEC 2); what is not listed is refused.
//
// Invariants: ranks are given under the campaign's lock, 1 to `claimed` without gaps; an order has at
// most one coupon HELD or USED; a coupon that is neither has no order, but a cancelled one, which
// keeps the order that it was reserved or used for, and when it was used, as long as that order has
// the discount.

#include "services/coupon/coupon.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/money.h"
#include "lib/base/text.h"

#include <assert.h>
#include <string.h>

enum {
    HUNDREDTHS = 100,
    PERCENT_MAX = 100 * HUNDREDTHS,
    NAME_MAX_LENGTH = 100,
    CODE_MAX_LENGTH = 40,
    VALID_DAYS_MAX = 3650,
};
#define QUANTITY_MAX INT64_C(1000000000)
#define WON_MAX INT64_C(1000000000000)

static const struct {
    enum coupon_status from;
    enum coupon_event event;
    enum coupon_status to;
} TRANSITIONS[] = {
    {COUPON_AVAILABLE, COUPON_HOLD,    COUPON_HELD     },
    {COUPON_AVAILABLE, COUPON_REDEEM,  COUPON_USED     },
    {COUPON_AVAILABLE, COUPON_EXPIRE,  COUPON_EXPIRED  },
    {COUPON_AVAILABLE, COUPON_CANCEL,  COUPON_CANCELLED},
    {COUPON_HELD,      COUPON_REDEEM,  COUPON_USED     },
    {COUPON_HELD,      COUPON_RESTORE, COUPON_AVAILABLE},
    {COUPON_HELD,      COUPON_CANCEL,  COUPON_CANCELLED},
    {COUPON_USED,      COUPON_RESTORE, COUPON_AVAILABLE},
    {COUPON_USED,      COUPON_CANCEL,  COUPON_CANCELLED},
    {COUPON_EXPIRED,   COUPON_CANCEL,  COUPON_CANCELLED},
};

// clang-format off
// The name of each status, and what history calls the way into it.
static const struct {
    const char *name;
    const char *history;
} STATUSES[] = {
    [COUPON_AVAILABLE] = {"AVAILABLE", "RESTORED"},
    [COUPON_HELD]      = {"HELD",      "HELD"},
    [COUPON_USED]      = {"USED",      "USED"},
    [COUPON_EXPIRED]   = {"EXPIRED",   "EXPIRED"},
    [COUPON_CANCELLED] = {"CANCELLED", "CANCELLED"},
};
// clang-format on

static const char *const EVENTS[COUPON_EVENT_COUNT] = {
    [COUPON_HOLD] = "hold",     [COUPON_REDEEM] = "redeem", [COUPON_RESTORE] = "restore",
    [COUPON_EXPIRE] = "expire", [COUPON_CANCEL] = "cancel",
};

static const char *const TYPES[] = {[COUPON_FIXED] = "FIXED", [COUPON_PERCENT] = "PERCENT"};

const char *coupon_status_name(enum coupon_status status)
{
    return STATUSES[status].name;
}

enum coupon_status coupon_status_parse(const char *name)
{
    size_t i = COUPON_AVAILABLE;
    while (strcmp(STATUSES[i].name, name) != 0) {
        i++;
        assert(i < COUNT(STATUSES));
    }
    return (enum coupon_status)i;
}

const char *coupon_event_name(enum coupon_event event)
{
    return EVENTS[event];
}

struct coupon_entry coupon_issued(const struct user_coupon *coupon)
{
    return (struct coupon_entry){coupon->id, "ISSUED", 0};
}

struct coupon_entry coupon_changed(const struct user_coupon *before,
                                   const struct user_coupon *after)
{
    return (struct coupon_entry){after->id, STATUSES[after->status].history,
                                 after->order_id ? after->order_id : before->order_id};
}

const char *coupon_type_name(enum coupon_type type)
{
    return TYPES[type];
}

enum coupon_type coupon_type_parse(const char *name)
{
    size_t i = COUPON_FIXED;
    while (strcmp(TYPES[i], name) != 0) {
        i++;
        assert(i < COUNT(TYPES));
    }
    return (enum coupon_type)i;
}

static struct status check_texts(const struct campaign *campaign)
{
    size_t name = text_length_utf8(campaign->name), code = strlen(campaign->code);

    if (name < 1 || name > NAME_MAX_LENGTH)
        return invalid("name", "a name has 1 to 100 characters");
    if (code < 1 || code > CODE_MAX_LENGTH ||
        strspn(campaign->code,
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != code)
        return invalid("code", "a code has 1 to 40 letters, digits, '-' and '_'");
    return OK;
}

static struct status check_value(const struct campaign *campaign)
{
    switch (campaign->type) {
    case COUPON_PERCENT:
        if (campaign->value <= 0 || campaign->value > PERCENT_MAX)
            return invalid("value", "a percentage is above 0 and at most 100");
        return OK;
    case COUPON_FIXED:
        if (campaign->value <= 0 || campaign->value % HUNDREDTHS || campaign->value > WON_MAX)
            return invalid("value", "a fixed value is a whole number of won, 1 or more");
        return OK;
    }
    return invalid("type", "a coupon is FIXED or PERCENT");
}

static struct status check_amounts(const struct campaign *campaign)
{
    if (campaign->max_discount_won < 0 || campaign->max_discount_won > WON_MAX)
        return invalid("max_discount_amount", "a maximum is 1 won or more");
    if (campaign->min_order_won < 0 || campaign->min_order_won > WON_MAX)
        return invalid("min_order_amount", "a minimum is 0 won or more");
    if (campaign->total_quantity < 1 || campaign->total_quantity > QUANTITY_MAX)
        return invalid("total_quantity", "a campaign has 1 to 1,000,000,000 coupons");
    if (campaign->total_quantity < campaign->claimed)
        return invalid("total_quantity", "more coupons than that are claimed already");
    return OK;
}

static struct status check_times(const struct campaign *campaign)
{
    if (campaign->starts_at_us <= 0)
        return invalid("starts_at", "say when claims begin");
    if (campaign->ends_at_us <= campaign->starts_at_us || campaign->ends_at_us > TIME_LAST_US)
        return invalid("ends_at", "claims end after they begin, before the year 10000");
    if (campaign->last_day_us < 0 || campaign->last_day_us > TIME_LAST_US)
        return invalid("last_day", "the last day of validity is one before the year 10000");
    if (campaign->valid_days < 0 || campaign->valid_days > VALID_DAYS_MAX)
        return invalid("valid_days", "coupons are valid for 1 to 3,650 days");
    if (campaign->valid_days == 0 && campaign->last_day_us == 0)
        return invalid("valid_days", "say for how many days coupons are valid, or their last day");
    if (campaign->last_day_us && campaign->last_day_us + US_PER_DAY <= campaign->ends_at_us)
        return invalid("last_day", "the last day of validity comes after the end of claims");
    return OK;
}

struct status campaign_check(const struct campaign *campaign)
{
    struct status (*const checks[])(const struct campaign *) = {check_texts, check_value,
                                                                check_amounts, check_times};
    for (size_t i = 0; i < COUNT(checks); i++) {
        struct status st = checks[i](campaign);
        if (failed(st))
            return st;
    }
    return OK;
}

// The end of the last day, or so many days from the claim, whichever comes first.
static int64_t expiry(const struct campaign *campaign, int64_t now_us)
{
    int64_t by_days = campaign->valid_days ? now_us + campaign->valid_days * US_PER_DAY : INT64_MAX;
    int64_t by_last_day = campaign->last_day_us
                              ? campaign->last_day_us / US_PER_DAY * US_PER_DAY + US_PER_DAY
                              : INT64_MAX;
    return by_days < by_last_day ? by_days : by_last_day;
}

struct status campaign_sold_out(void)
{
    return refuse(REASON_COUPON_SOLD_OUT, "all coupons are claimed");
}

struct status campaign_claim(struct campaign *campaign, int64_t user_id, bool claimed_before,
                             int64_t now_us, struct user_coupon *coupon)
{
    if (now_us < campaign->starts_at_us)
        return refuse(REASON_COUPON_WINDOW_CLOSED, "claims have not begun");
    if (now_us > campaign->ends_at_us)
        return refuse(REASON_COUPON_WINDOW_CLOSED, "claims have ended");
    if (claimed_before)
        return refuse(REASON_COUPON_ALREADY_CLAIMED, "you have one already");
    if (campaign->claimed >= campaign->total_quantity)
        return campaign_sold_out();

    campaign->claimed++;
    campaign->changed = true;
    *coupon = (struct user_coupon){
        .user_id = user_id,
        .rank = campaign->claimed,
        .status = COUPON_AVAILABLE,
        .issued_at_us = now_us,
        .expires_at_us = expiry(campaign, now_us),
        .campaign = campaign,
    };
    return OK;
}

int64_t campaign_discount(const struct campaign *campaign, int64_t amount_won)
{
    int64_t discount = campaign->type == COUPON_PERCENT ? money_percent(amount_won, campaign->value)
                                                        : campaign->value / HUNDREDTHS;
    if (campaign->max_discount_won && discount > campaign->max_discount_won)
        discount = campaign->max_discount_won;
    return discount < amount_won ? discount : amount_won;
}

bool coupon_next(enum coupon_status from, enum coupon_event event, enum coupon_status *to)
{
    for (size_t i = 0; i < COUNT(TRANSITIONS); i++) {
        if (TRANSITIONS[i].from != from || TRANSITIONS[i].event != event)
            continue;
        *to = TRANSITIONS[i].to;
        return true;
    }
    return false;
}

static bool happen(struct user_coupon *coupon, enum coupon_event event)
{
    if (!coupon_next(coupon->status, event, &coupon->status))
        return false;
    coupon->changed = true;
    return true;
}

bool coupon_belongs_to(const struct user_coupon *coupon, int64_t order_id)
{
    return coupon->order_id == order_id &&
           (coupon->status == COUPON_HELD || coupon->status == COUPON_USED);
}

static struct status check_usable(const struct user_coupon *coupon, const struct coupon_wish *wish,
                                  int64_t now_us)
{
    bool reserved = coupon->status == COUPON_HELD && coupon->order_id == wish->order_id;

    if (coupon->user_id != wish->user_id)
        return refuse(REASON_COUPON_NOT_USABLE, "the coupon is somebody else's");
    if (coupon->status != COUPON_AVAILABLE && !reserved)
        return refuse(REASON_COUPON_NOT_USABLE, "the coupon is used, expired or cancelled");
    if (now_us >= coupon->expires_at_us)
        return refuse(REASON_COUPON_NOT_USABLE, "the coupon has expired");
    if (wish->amount_won < coupon->campaign->min_order_won)
        return refuse(REASON_COUPON_NOT_USABLE, "the order is below the coupon's minimum");
    if (wish->has_another)
        return refuse(REASON_COUPON_NOT_USABLE, "the order has another coupon already");
    return OK;
}

struct status coupon_hold(struct user_coupon *coupon, const struct coupon_wish *wish,
                          int64_t now_us, int64_t held_until_us)
{
    if (coupon->user_id == wish->user_id && coupon_belongs_to(coupon, wish->order_id))
        return OK;
    struct status st = check_usable(coupon, wish, now_us);
    if (!failed(st) && wish->given_back)
        st = refuse(REASON_COUPON_NOT_USABLE, "the order has given its coupon back");
    if (failed(st))
        return st;
    happen(coupon, COUPON_HOLD);
    coupon->order_id = wish->order_id;
    coupon->held_until_us = held_until_us;
    coupon->discount_won = campaign_discount(coupon->campaign, wish->amount_won);
    return OK;
}

struct status coupon_redeem(struct user_coupon *coupon, const struct coupon_wish *wish,
                            int64_t now_us)
{
    if (wish->again && coupon->user_id == wish->user_id && coupon->status == COUPON_USED &&
        coupon->order_id == wish->order_id)
        return OK;
    struct status st = check_usable(coupon, wish, now_us);
    if (failed(st)) {
        if (coupon->user_id == wish->user_id)
            coupon_restore(coupon, wish->order_id);
        return st;
    }
    happen(coupon, COUPON_REDEEM);
    coupon->order_id = wish->order_id;
    coupon->held_until_us = 0;
    coupon->used_at_us = now_us;
    coupon->discount_won = campaign_discount(coupon->campaign, wish->amount_won);
    return OK;
}

// The order of a cancelled coupon gives its discount back, and gets no coupon for it.
static void forget_use(struct user_coupon *coupon)
{
    if (coupon->used_at_us == 0)
        return;
    coupon->changed = true;
    coupon->used_at_us = coupon->discount_won = 0;
}

void coupon_restore(struct user_coupon *coupon, int64_t order_id)
{
    if (coupon->status == COUPON_CANCELLED && coupon->order_id == order_id)
        forget_use(coupon);
    if (!coupon_belongs_to(coupon, order_id))
        return;
    happen(coupon, COUPON_RESTORE);
    coupon->order_id = coupon->discount_won = coupon->held_until_us = coupon->used_at_us = 0;
}

struct status coupon_cancel(struct user_coupon *coupon)
{
    if (!happen(coupon, COUPON_CANCEL))
        return refuse(REASON_ILLEGAL_TRANSITION, "the coupon is cancelled already");
    coupon->held_until_us = 0;
    return OK;
}
