// The rules of SPEC 5: discounts, claims, and every edge of a coupon's life.

#include "services/coupon/coupon.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>

#define NOW_US (INT64_C(1800000000) * US_PER_S)

enum { OWNER = 7, ORDER = 900 };

static struct campaign campaign(enum coupon_type type, int64_t value)
{
    return (struct campaign){
        .id = 1,
        .name = "봄 세일",
        .code = "SPRING-1",
        .type = type,
        .value = value,
        .total_quantity = 2,
        .starts_at_us = NOW_US,
        .ends_at_us = NOW_US + US_PER_DAY,
        .valid_days = 7,
    };
}

static struct user_coupon coupon(struct campaign *of, enum coupon_status status, int64_t order_id)
{
    return (struct user_coupon){
        .id = 5,
        .user_id = OWNER,
        .rank = 1,
        .status = status,
        .order_id = order_id,
        .expires_at_us = NOW_US + US_PER_DAY,
        .campaign = of,
    };
}

Test(coupon, discounts_are_floored_and_capped)
{
    static const struct {
        enum coupon_type type;
        int64_t value, max, amount, discount;
    } ROWS[] = {
        {COUPON_PERCENT, 1000,   0,    1235,  123  }, // 10 % of 1,235
        {COUPON_PERCENT, 1000,   0,    9,     0    },
        {COUPON_PERCENT, 1,      0,    10000, 1    }, // 0.01 %
        {COUPON_PERCENT, 1,      0,    9999,  0    },
        {COUPON_PERCENT, 3333,   0,    10000, 3333 },
        {COUPON_PERCENT, 10000,  0,    12345, 12345},
        {COUPON_PERCENT, 5000,   3000, 5999,  2999 },
        {COUPON_PERCENT, 5000,   3000, 6000,  3000 },
        {COUPON_PERCENT, 5000,   3000, 90000, 3000 },
        {COUPON_FIXED,   300000, 0,    3001,  3000 },
        {COUPON_FIXED,   300000, 0,    3000,  3000 },
        {COUPON_FIXED,   300000, 0,    2999,  2999 }, // never below 0
        {COUPON_FIXED,   300000, 0,    0,     0    },
        {COUPON_FIXED,   300000, 1000, 5000,  1000 },
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct campaign of = campaign(ROWS[i].type, ROWS[i].value);
        of.max_discount_won = ROWS[i].max;
        cr_assert_eq(campaign_discount(&of, ROWS[i].amount), ROWS[i].discount, "row %zu", i);
    }
}

Test(coupon, campaigns_are_checked_field_by_field)
{
#define AT(member) offsetof(struct campaign, member)
    static const struct {
        const char *field;
        size_t offset; // of what is wrong in an otherwise good campaign
        int64_t value;
    } ROWS[] = {
        {"value",               AT(value),            0                  },
        {"value",               AT(value),            -100               },
        {"value",               AT(value),            10001              },
        {"max_discount_amount", AT(max_discount_won), -1                 },
        {"min_order_amount",    AT(min_order_won),    -1                 },
        {"total_quantity",      AT(total_quantity),   0                  },
        {"total_quantity",      AT(claimed),          3                  },
        {"starts_at",           AT(starts_at_us),     0                  },
        {"ends_at",             AT(ends_at_us),       NOW_US             },
        {"ends_at",             AT(ends_at_us),       INT64_MAX          },
        {"valid_days",          AT(valid_days),       0                  },
        {"valid_days",          AT(valid_days),       3651               },
        {"last_day",            AT(last_day_us),      NOW_US - US_PER_DAY},
        {"last_day",            AT(last_day_us),      -1                 },
        {"last_day",            AT(last_day_us),      INT64_MAX          },
    };
#undef AT
    struct campaign good = campaign(COUPON_PERCENT, 1250);
    cr_assert_not(failed(campaign_check(&good)));
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct campaign wrong = good;
        memcpy((char *)&wrong + ROWS[i].offset, &ROWS[i].value, sizeof(ROWS[i].value));
        struct status st = campaign_check(&wrong);
        cr_assert(failed(st), "row %zu", i);
        cr_assert_str_eq(st.field, ROWS[i].field, "row %zu: %s", i, st.message);
    }
}

Test(coupon, campaigns_have_a_name_a_code_and_a_type)
{
    static const struct {
        const char *field, *name, *code;
        int64_t value;
        int type;
    } ROWS[] = {
        {"name",  "",   "A",   100, COUPON_FIXED},
        {"code",  "봄", "",    100, COUPON_FIXED},
        {"code",  "봄", "a b", 100, COUPON_FIXED},
        {"code",  "봄", "봄",  100, COUPON_FIXED},
        {"type",  "봄", "A",   100, 0           },
        {"value", "봄", "A",   150, COUPON_FIXED}, // half a won
        {NULL,    "봄", "A",   100, COUPON_FIXED},
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct campaign made = campaign(COUPON_FIXED, ROWS[i].value);
        memcpy(&made.type, &ROWS[i].type, sizeof(made.type)); // it may be any number
        made.name = ROWS[i].name;
        made.code = ROWS[i].code;
        struct status st = campaign_check(&made);
        cr_assert_eq(failed(st), ROWS[i].field != NULL, "row %zu", i);
        if (failed(st))
            cr_assert_str_eq(st.field, ROWS[i].field, "row %zu: %s", i, st.message);
    }
}

Test(coupon, ranks_count_up_until_nothing_is_left)
{
    struct campaign of = campaign(COUPON_FIXED, 100000);
    struct user_coupon first, second, third;

    cr_assert_not(failed(campaign_claim(&of, 1, false, NOW_US, &first)));
    cr_assert_eq(campaign_claim(&of, 1, true, NOW_US, &second).reason,
                 REASON_COUPON_ALREADY_CLAIMED);
    cr_assert_not(failed(campaign_claim(&of, 2, false, NOW_US, &second)));
    cr_assert_eq(first.rank, 1);
    cr_assert_eq(second.rank, 2);
    cr_assert_eq(campaign_claim(&of, 3, false, NOW_US, &third).reason, REASON_COUPON_SOLD_OUT);
    cr_assert_eq(of.claimed, 2);
}

Test(coupon, the_window_includes_both_of_its_ends)
{
    struct campaign of = campaign(COUPON_FIXED, 100000);
    struct user_coupon made;

    cr_assert_eq(campaign_claim(&of, 1, false, NOW_US - 1, &made).reason,
                 REASON_COUPON_WINDOW_CLOSED);
    cr_assert_eq(campaign_claim(&of, 1, false, NOW_US + US_PER_DAY + 1, &made).reason,
                 REASON_COUPON_WINDOW_CLOSED);
    cr_assert_not(failed(campaign_claim(&of, 1, false, NOW_US, &made)));
    cr_assert_not(failed(campaign_claim(&of, 2, false, NOW_US + US_PER_DAY, &made)));
}

Test(coupon, validity_ends_after_its_days_or_with_the_last_day)
{
    struct campaign of = campaign(COUPON_FIXED, 100000);
    struct user_coupon made;

    of.total_quantity = 3;
    campaign_claim(&of, 1, false, NOW_US, &made);
    cr_assert_eq(made.expires_at_us, NOW_US + 7 * US_PER_DAY);
    of.last_day_us = NOW_US / US_PER_DAY * US_PER_DAY + 2 * US_PER_DAY;
    campaign_claim(&of, 2, false, NOW_US, &made);
    cr_assert_eq(made.expires_at_us, NOW_US / US_PER_DAY * US_PER_DAY + 3 * US_PER_DAY,
                 "the last day counts");
    of.valid_days = 0;
    campaign_claim(&of, 3, false, NOW_US, &made);
    cr_assert_eq(made.expires_at_us, NOW_US / US_PER_DAY * US_PER_DAY + 3 * US_PER_DAY);
}

// Every status by every event; 0 is an edge that is not drawn.
Test(coupon, only_the_drawn_edges_exist)
{
    static const int NEXT[6][5] = {
        //                    HOLD         REDEEM       RESTORE           EXPIRE          CANCEL
        [COUPON_AVAILABLE] = {COUPON_HELD, COUPON_USED, 0,                COUPON_EXPIRED, COUPON_CANCELLED},
        [COUPON_HELD] = {0,           COUPON_USED, COUPON_AVAILABLE, 0,              COUPON_CANCELLED},
        [COUPON_USED] = {0,           0,           COUPON_AVAILABLE, 0,              COUPON_CANCELLED},
        [COUPON_EXPIRED] = {0,           0,           0,                0,              COUPON_CANCELLED},
        [COUPON_CANCELLED] = {0,           0,           0,                0,              0               },
    };
    for (enum coupon_status from = COUPON_AVAILABLE; from <= COUPON_CANCELLED; from++)
        for (enum coupon_event event = COUPON_HOLD; event <= COUPON_CANCEL; event++) {
            enum coupon_status to = from;
            int expected = NEXT[from][event];
            cr_assert_eq(coupon_next(from, event, &to), expected != 0, "%s, %s",
                         coupon_status_name(from), coupon_event_name(event));
            cr_assert_eq((int)to, expected ? expected : (int)from, "%s, %s",
                         coupon_status_name(from), coupon_event_name(event));
        }
}

Test(coupon, what_cannot_be_used_is_refused_and_stays)
{
    static const struct {
        int64_t order_id, user_id, amount, now_us;
        enum coupon_status status;
        bool has_another;
    } ROWS[] = {
        {0,         OWNER,     5000, NOW_US,              COUPON_AVAILABLE, true }, // the order has another one
        {0,         OWNER + 1, 5000, NOW_US,              COUPON_AVAILABLE, false}, // somebody else's
        {0,         OWNER,     4999, NOW_US,              COUPON_AVAILABLE, false}, // below the minimum
        {0,         OWNER,     5000, NOW_US + US_PER_DAY, COUPON_AVAILABLE, false}, // expired
        {ORDER + 1, OWNER,     5000, NOW_US,              COUPON_HELD,      false}, // reserved by another order
        {ORDER + 1, OWNER,     5000, NOW_US,              COUPON_USED,      false},
        {0,         OWNER,     5000, NOW_US,              COUPON_EXPIRED,   false},
        {0,         OWNER,     5000, NOW_US,              COUPON_CANCELLED, false},
    };
    struct campaign of = campaign(COUPON_FIXED, 100000);
    of.min_order_won = 5000;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct user_coupon mine = coupon(&of, ROWS[i].status, ROWS[i].order_id);
        struct coupon_wish wish = {ROWS[i].user_id, ORDER, ROWS[i].amount, ROWS[i].has_another,
                                   false};
        cr_assert_eq(coupon_hold(&mine, &wish, ROWS[i].now_us, NOW_US + 1).reason,
                     REASON_COUPON_NOT_USABLE, "row %zu", i);
        cr_assert_eq(coupon_redeem(&mine, &wish, ROWS[i].now_us).reason, REASON_COUPON_NOT_USABLE,
                     "row %zu", i);
        cr_assert_eq(mine.status, ROWS[i].status, "row %zu", i);
        cr_assert_not(mine.changed, "row %zu", i);
    }
}

Test(coupon, a_reservation_is_redeemed_by_its_order)
{
    struct campaign of = campaign(COUPON_PERCENT, 1000);
    struct user_coupon mine = coupon(&of, COUPON_AVAILABLE, 0);
    struct coupon_wish wish = {OWNER, ORDER, 20000, false, false};

    cr_assert_not(failed(coupon_hold(&mine, &wish, NOW_US, NOW_US + 1)));
    cr_assert_eq(mine.status, COUPON_HELD);
    cr_assert_eq(mine.discount_won, 2000);
    cr_assert_not(failed(coupon_hold(&mine, &wish, NOW_US, NOW_US + 9)), "again is fine");
    cr_assert_eq(mine.held_until_us, NOW_US + 1, "and changes nothing");
    cr_assert_not(failed(coupon_redeem(&mine, &wish, NOW_US)));
    cr_assert_eq(mine.status, COUPON_USED);
    cr_assert_eq(mine.used_at_us, NOW_US);
    coupon_restore(&mine, ORDER);
    cr_assert_eq(mine.status, COUPON_AVAILABLE);
    cr_assert_eq(mine.order_id, 0);
    cr_assert_eq(mine.used_at_us, 0);
}

Test(coupon, a_redemption_that_nobody_remembers_succeeds_again_for_its_order)
{
    struct campaign of = campaign(COUPON_PERCENT, 1000);
    struct user_coupon mine = coupon(&of, COUPON_AVAILABLE, 0);
    struct coupon_wish wish = {OWNER, ORDER, 20000, .again = true};
    struct coupon_wish others[] = {
        {OWNER,     ORDER,     20000, .again = false},
        {OWNER,     ORDER + 1, 20000, .again = true },
        {OWNER + 1, ORDER,     20000, .again = true },
    };

    cr_assert_not(failed(coupon_redeem(&mine, &wish, NOW_US)));
    cr_assert_not(failed(coupon_redeem(&mine, &wish, NOW_US + 8 * US_PER_DAY)));
    cr_assert_eq(mine.status, COUPON_USED);
    cr_assert_eq(mine.used_at_us, NOW_US);
    cr_assert_eq(mine.discount_won, 2000);
    cr_assert_eq(coupon_redeem(&mine, &others[1], NOW_US).reason, REASON_COUPON_NOT_USABLE);
    cr_assert_eq(coupon_redeem(&mine, &others[2], NOW_US).reason, REASON_COUPON_NOT_USABLE);
    cr_assert_eq(mine.status, COUPON_USED);
    cr_assert_eq(coupon_redeem(&mine, &others[0], NOW_US).reason, REASON_COUPON_NOT_USABLE);
}

Test(coupon, an_order_that_gave_back_may_still_use_the_coupon_but_not_reserve_it)
{
    struct campaign of = campaign(COUPON_FIXED, 100000);
    struct user_coupon mine = coupon(&of, COUPON_AVAILABLE, 0);
    struct coupon_wish wish = {OWNER, ORDER, 20000, false, true};

    cr_assert_eq(coupon_hold(&mine, &wish, NOW_US, NOW_US + 1).reason, REASON_COUPON_NOT_USABLE);
    cr_assert_eq(mine.status, COUPON_AVAILABLE);
    cr_assert_not(failed(coupon_redeem(&mine, &wish, NOW_US)));
    cr_assert_eq(mine.status, COUPON_USED);
}

Test(coupon, a_refused_redemption_gives_the_orders_own_reservation_back)
{
    struct campaign of = campaign(COUPON_FIXED, 100000);
    struct user_coupon mine = coupon(&of, COUPON_HELD, ORDER);
    struct coupon_wish wish = {OWNER, ORDER, 20000, false, false};

    cr_assert_eq(coupon_redeem(&mine, &wish, NOW_US + US_PER_DAY).reason, REASON_COUPON_NOT_USABLE);
    cr_assert_eq(mine.status, COUPON_AVAILABLE);
    cr_assert(mine.changed);
}

Test(coupon, restoring_touches_only_what_the_order_has)
{
    static const struct {
        enum coupon_status from, to;
        int64_t order_id;
    } ROWS[] = {
        {COUPON_HELD,      COUPON_AVAILABLE, ORDER    },
        {COUPON_USED,      COUPON_AVAILABLE, ORDER    },
        {COUPON_HELD,      COUPON_HELD,      ORDER + 1},
        {COUPON_USED,      COUPON_USED,      ORDER + 1},
        {COUPON_AVAILABLE, COUPON_AVAILABLE, 0        },
        {COUPON_EXPIRED,   COUPON_EXPIRED,   0        },
        {COUPON_CANCELLED, COUPON_CANCELLED, ORDER    },
    };
    struct campaign of = campaign(COUPON_FIXED, 100000);
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct user_coupon mine = coupon(&of, ROWS[i].from, ROWS[i].order_id);
        coupon_restore(&mine, ORDER);
        cr_assert_eq(mine.status, ROWS[i].to, "row %zu", i);
        cr_assert_eq(mine.changed, ROWS[i].from != ROWS[i].to, "row %zu", i);
    }
}

Test(coupon, history_tells_each_change_with_the_order_that_had_the_coupon)
{
    static const struct {
        enum coupon_status from, to;
        int64_t had, has;
        struct coupon_entry entry;
    } ROWS[] = {
        {COUPON_AVAILABLE, COUPON_HELD,      0,     ORDER, {5, "HELD", ORDER}     },
        {COUPON_AVAILABLE, COUPON_USED,      0,     ORDER, {5, "USED", ORDER}     },
        {COUPON_HELD,      COUPON_USED,      ORDER, ORDER, {5, "USED", ORDER}     },
        {COUPON_USED,      COUPON_AVAILABLE, ORDER, 0,     {5, "RESTORED", ORDER} },
        {COUPON_AVAILABLE, COUPON_EXPIRED,   0,     0,     {5, "EXPIRED", 0}      },
        {COUPON_AVAILABLE, COUPON_CANCELLED, 0,     0,     {5, "CANCELLED", 0}    },
        {COUPON_USED,      COUPON_CANCELLED, ORDER, ORDER, {5, "CANCELLED", ORDER}},
    };
    struct campaign of = campaign(COUPON_FIXED, 100000);
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct user_coupon before = coupon(&of, ROWS[i].from, ROWS[i].had);
        struct user_coupon after = coupon(&of, ROWS[i].to, ROWS[i].has);
        struct coupon_entry entry = coupon_changed(&before, &after);
        cr_assert_eq(entry.coupon_id, ROWS[i].entry.coupon_id, "row %zu", i);
        cr_assert_str_eq(entry.change, ROWS[i].entry.change, "row %zu", i);
        cr_assert_eq(entry.order_id, ROWS[i].entry.order_id, "row %zu", i);
    }
    struct user_coupon fresh = coupon(&of, COUPON_AVAILABLE, 0);
    cr_assert_str_eq(coupon_issued(&fresh).change, "ISSUED");
}
