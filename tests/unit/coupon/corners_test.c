// What no journey passes: both sides of every limit of a campaign, and names that are stored.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "services/coupon/coupon.h"

#include <criterion/criterion.h>
#include <string.h>

static struct campaign good(void)
{
    return (struct campaign){
        .name = "n",
        .code = "C",
        .type = COUPON_FIXED,
        .value = 100,
        .total_quantity = 5,
        .starts_at_us = US_PER_DAY,
        .ends_at_us = 2 * US_PER_DAY,
        .valid_days = 1,
    };
}

Test(corners, every_number_of_a_campaign_has_two_ends)
{
#define AT(member) offsetof(struct campaign, member)
    static const struct {
        size_t offset;
        int64_t value;
        const char *field; // NULL: fine
    } rows[] = {
        {AT(value),            0,                     "value"              },
        {AT(value),            -100,                  "value"              },
        {AT(value),            150,                   "value"              },
        {AT(value),            INT64_MAX / 100 * 100, "value"              },
        {AT(max_discount_won), -1,                    "max_discount_amount"},
        {AT(max_discount_won), INT64_MAX,             "max_discount_amount"},
        {AT(max_discount_won), 1,                     NULL                 },
        {AT(min_order_won),    -1,                    "min_order_amount"   },
        {AT(min_order_won),    INT64_MAX,             "min_order_amount"   },
        {AT(min_order_won),    1,                     NULL                 },
        {AT(total_quantity),   0,                     "total_quantity"     },
        {AT(total_quantity),   INT64_MAX,             "total_quantity"     },
        {AT(claimed),          6,                     "total_quantity"     },
        {AT(claimed),          5,                     NULL                 },
        {AT(starts_at_us),     0,                     "starts_at"          },
        {AT(ends_at_us),       US_PER_DAY,            "ends_at"            },
        {AT(ends_at_us),       INT64_MAX,             "ends_at"            },
        {AT(last_day_us),      -1,                    "last_day"           },
        {AT(last_day_us),      INT64_MAX,             "last_day"           },
        {AT(last_day_us),      US_PER_DAY,            "last_day"           },
        {AT(last_day_us),      3 * US_PER_DAY,        NULL                 },
        {AT(valid_days),       -1,                    "valid_days"         },
        {AT(valid_days),       INT64_MAX,             "valid_days"         },
        {AT(valid_days),       0,                     "valid_days"         },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct campaign campaign = good();
        *(int64_t *)(void *)((char *)&campaign + rows[i].offset) = rows[i].value;
        struct status st = campaign_check(&campaign);
        cr_expect_eq(failed(st), rows[i].field != NULL, "row %zu", i);
        if (failed(st) && rows[i].field)
            cr_expect_str_eq(st.field, rows[i].field, "row %zu", i);
    }
    struct campaign until = good();
    until.valid_days = 0;
    until.last_day_us = 3 * US_PER_DAY;
    cr_expect_not(failed(campaign_check(&until)), "a last day is enough");
}

Test(corners, texts_and_types_of_a_campaign_have_their_bounds)
{
    char name[102], code[42];
    memset(name, 'n', sizeof name - 1);
    memset(code, 'C', sizeof code - 1);
    name[101] = code[41] = '\0';
    const struct {
        const char *name, *code;
        enum coupon_type type;
        int64_t value;
        bool good;
    } rows[] = {
        {"",   "C",   COUPON_FIXED,        100,   false},
        {name, "C",   COUPON_FIXED,        100,   false},
        {"n",  "",    COUPON_FIXED,        100,   false},
        {"n",  code,  COUPON_FIXED,        100,   false},
        {"n",  "C C", COUPON_FIXED,        100,   false},
        {"n",  "C",   (enum coupon_type)0, 100,   false},
        {"n",  "C",   COUPON_PERCENT,      0,     false},
        {"n",  "C",   COUPON_PERCENT,      10001, false},
        {"n",  "C",   COUPON_PERCENT,      10000, true },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct campaign campaign = good();
        campaign.name = rows[i].name;
        campaign.code = rows[i].code;
        campaign.type = rows[i].type;
        campaign.value = rows[i].value;
        cr_expect_eq(!failed(campaign_check(&campaign)), rows[i].good, "row %zu", i);
    }
}

Test(corners, every_word_is_read_back)
{
    for (int i = COUPON_AVAILABLE; i <= COUPON_CANCELLED; i++)
        cr_expect_eq(coupon_status_parse(coupon_status_name((enum coupon_status)i)),
                     (enum coupon_status)i);
    for (int i = COUPON_FIXED; i <= COUPON_PERCENT; i++)
        cr_expect_eq(coupon_type_parse(coupon_type_name((enum coupon_type)i)), (enum coupon_type)i);
    for (int i = 0; i < COUPON_EVENT_COUNT; i++)
        cr_expect_str_neq(coupon_event_name((enum coupon_event)i), "");
    cr_expect_eq(campaign_sold_out().reason, REASON_COUPON_SOLD_OUT);
}

Test(corners, a_coupon_is_cancelled_once)
{
    struct campaign campaign = good();
    struct user_coupon coupon = {.status = COUPON_USED, .campaign = &campaign};
    cr_expect_not(failed(coupon_cancel(&coupon)));
    cr_expect_eq(coupon_cancel(&coupon).reason, REASON_ILLEGAL_TRANSITION);
}

Test(corners, a_cancelled_coupon_forgets_its_use_when_that_order_gives_it_back)
{
    struct campaign campaign = good();
    struct user_coupon coupon = {.status = COUPON_USED,
                                 .order_id = 7,
                                 .used_at_us = 1,
                                 .discount_won = 500,
                                 .campaign = &campaign};
    cr_expect_not(failed(coupon_cancel(&coupon)));
    coupon.changed = false;
    coupon_restore(&coupon, 8);
    cr_expect(coupon.used_at_us == 1 && !coupon.changed, "another order");
    coupon_restore(&coupon, 7);
    cr_expect(coupon.used_at_us == 0 && coupon.discount_won == 0 && coupon.changed);
    cr_expect(coupon.status == COUPON_CANCELLED && coupon.order_id == 7);
    coupon.changed = false;
    coupon_restore(&coupon, 7);
    cr_expect_not(coupon.changed, "twice");
}
