// Campaigns and lists on a real database: what admins may say, what everybody may see.

#include "tests/integration/coupon/booth.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { USER = 7 };

static const struct asked *create_capped(struct booth *booth, const char *name, const char *code,
                                         int type, Baro__Int64 *maximum)
{
    char name_text[128], code_text[128];
    Baro__Decimal value = BARO__DECIMAL__INIT;
    Baro__Timestamp starts = BARO__TIMESTAMP__INIT, ends = BARO__TIMESTAMP__INIT;
    Baro__Coupon__CreateCampaignRequest request;
    baro__coupon__create_campaign_request__init(&request);
    snprintf(name_text, sizeof(name_text), "%s", name);
    snprintf(code_text, sizeof(code_text), "%s", code);
    value.hundredths = 50000;
    starts.us = clock_realtime_us() - US_PER_S;
    ends.us = starts.us + 3600 * US_PER_S;
    request.name = name_text;
    request.code = code_text;
    memcpy(&request.type, &type, sizeof(type)); // enums of the wire are open
    request.value = &value;
    request.total_quantity = 5;
    request.starts_at = &starts;
    request.ends_at = &ends;
    request.valid_days = 1;
    request.max_discount_amount = maximum;
    return rig_call(booth->rig, "CreateCampaign", as_admin(), &request.base);
}

static const struct asked *create(struct booth *booth, const char *name, const char *code, int type)
{
    return create_capped(booth, name, code, type, NULL);
}

static const struct asked *get(struct booth *booth, struct as as, int64_t campaign_id)
{
    Baro__Coupon__GetCampaignRequest request;
    baro__coupon__get_campaign_request__init(&request);
    request.coupon_id = campaign_id;
    return rig_call(booth->rig, "GetCampaign", as, &request.base);
}

static const struct asked *set_quantity(struct booth *booth, int64_t campaign_id, int64_t quantity)
{
    Baro__Int64 total = BARO__INT64__INIT;
    Baro__Coupon__UpdateCampaignRequest request;
    baro__coupon__update_campaign_request__init(&request);
    total.value = quantity;
    request.coupon_id = campaign_id;
    request.total_quantity = &total;
    return rig_call(booth->rig, "UpdateCampaign", as_admin(), &request.base);
}

static const struct asked *list(struct booth *booth, struct as as, int32_t size, const char *token)
{
    char text[256];
    Baro__Coupon__ListCampaignsRequest request;
    baro__coupon__list_campaigns_request__init(&request);
    snprintf(text, sizeof(text), "%s", token);
    request.page_size = size;
    request.page_token = text;
    return rig_call(booth->rig, "ListCampaigns", as, &request.base);
}

static const struct asked *list_mine(struct booth *booth, struct as as, int status, int32_t size,
                                     const char *token)
{
    char text[256];
    Baro__Coupon__ListUserCouponsRequest request;
    baro__coupon__list_user_coupons_request__init(&request);
    snprintf(text, sizeof(text), "%s", token);
    memcpy(&request.status, &status, sizeof(status)); // enums of the wire are open
    request.page_size = size;
    request.page_token = text;
    return rig_call(booth->rig, "ListUserCoupons", as, &request.base);
}

Test(campaign, is_what_the_admin_said_with_texts_trimmed)
{
    struct booth *booth = booth_open((struct rig_size){0});
    const Baro__Coupon__Campaign *made = reply_of(create(booth, "  가을  ", " FALL-26 ", 1));
    const Baro__Coupon__Campaign *shown = reply_of(get(booth, as_nobody(), made->id));
    cr_assert_str_eq(shown->name, "가을");
    cr_assert_str_eq(shown->code, "FALL-26");
    cr_assert_eq(shown->value->hundredths, 50000);
    cr_assert_eq(shown->remaining_quantity, 5);
    cr_assert_null(shown->max_discount_amount);
    cr_assert_null(shown->last_day);
    cr_assert_not(shown->claimed);
    booth_close(booth);
}

Test(campaign, with_a_taken_code_or_a_wrong_field_is_refused)
{
    struct booth *booth = booth_open((struct rig_size){0});
    reply_of(create(booth, "가을", "FALL", 1));
    expect_refused(create(booth, "겨울", "FALL", 1), REASON_CODE_TAKEN);
    expect_invalid(create(booth, " ", "WINTER", 1), "name");
    expect_invalid(create(booth, "겨울", "", 1), "code");
    expect_invalid(create(booth, "겨울", "WINTER", 0), "type");
    expect_invalid(create(booth, "겨울", "WINTER", 99), "type");
    Baro__Int64 nothing = BARO__INT64__INIT; // is not the same as no maximum
    expect_invalid(create_capped(booth, "겨울", "WINTER", 1, &nothing), "max_discount_amount");
    cr_assert_eq(rig_number(booth->rig, "SELECT count(*) FROM campaign"), 1);
    booth_close(booth);
}

Test(campaign, may_grow_and_shrink_down_to_what_is_claimed)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = 2});
    coupon_of(claim_as(booth, as_user(1), campaign));
    coupon_of(claim_as(booth, as_user(2), campaign));
    expect_refused(claim_as(booth, as_user(3), campaign), REASON_COUPON_SOLD_OUT);
    reply_of(set_quantity(booth, campaign, 3));
    cr_assert_eq(coupon_of(claim_as(booth, as_user(3), campaign))->rank, 3);
    expect_invalid(set_quantity(booth, campaign, 2), "total_quantity");
    const Baro__Coupon__Campaign *shown = reply_of(set_quantity(booth, campaign, 3));
    cr_assert_eq(shown->remaining_quantity, 0);
    expect_refused(set_quantity(booth, campaign + 1, 3), REASON_COUPON_NOT_FOUND);
    expect_refused(get(booth, as_nobody(), campaign + 1), REASON_COUPON_NOT_FOUND);
    booth_close(booth);
}

Test(campaigns, are_listed_while_they_are_open_and_something_is_left)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t open = given_campaign_of(booth, (struct terms){0});
    int64_t sold_out = given_campaign_of(booth, (struct terms){.total_quantity = 1});
    given_campaign_of(booth, (struct terms){.starts_in_s = 60});
    given_campaign_of(booth, (struct terms){.starts_in_s = -60, .ends_in_s = -30});
    coupon_of(claim_as(booth, as_user(USER), open));
    coupon_of(claim_as(booth, as_user(USER), sold_out));
    const Baro__Coupon__CampaignPage *page = reply_of(list(booth, as_user(USER), 0, ""));
    cr_assert_eq(page->n_items, 1);
    cr_assert_eq(page->items[0]->id, open);
    cr_assert_eq(page->items[0]->remaining_quantity, 9);
    cr_assert(page->items[0]->claimed);
    page = reply_of(list(booth, as_nobody(), 0, ""));
    cr_assert_not(page->items[0]->claimed);
    const Baro__Coupon__Campaign *shown = reply_of(get(booth, as_user(USER), sold_out));
    cr_assert(shown->claimed);
    booth_close(booth);
}

Test(campaigns, come_in_pages_newest_first)
{
    enum { CAMPAIGNS = 25 };
    int64_t ids[CAMPAIGNS];
    size_t seen = 0;
    const char *token = "";
    struct booth *booth = booth_open((struct rig_size){0});
    for (size_t i = 0; i < CAMPAIGNS; i++)
        ids[i] = given_campaign_of(booth, (struct terms){0});
    for (int page_number = 0; page_number < 3; page_number++) {
        const Baro__Coupon__CampaignPage *page = reply_of(list(booth, as_nobody(), 10, token));
        for (size_t i = 0; i < page->n_items; i++)
            cr_assert_eq(page->items[i]->id, ids[CAMPAIGNS - 1 - seen++]);
        token = page->next_page_token;
        cr_assert_eq(*token == '\0', page_number == 2);
    }
    cr_assert_eq(seen, CAMPAIGNS);
    const Baro__Coupon__CampaignPage *page = reply_of(list(booth, as_nobody(), 0, ""));
    cr_assert_eq(page->n_items, 20, "the default");
    page = reply_of(list(booth, as_nobody(), CAMPAIGNS, ""));
    cr_assert_str_eq(page->next_page_token, "", "an exact page is the last");
    booth_close(booth);
}

Test(lists, name_what_is_wrong_with_their_pages_and_filters)
{
    struct booth *booth = booth_open((struct rig_size){0});
    expect_invalid(list(booth, as_nobody(), 101, ""), "page_size");
    expect_invalid(list(booth, as_nobody(), -1, ""), "page_size");
    expect_invalid(list(booth, as_nobody(), 10, "nonsense"), "page_token");
    expect_invalid(list_mine(booth, as_user(USER), 0, 101, ""), "page_size");
    expect_invalid(list_mine(booth, as_user(USER), 0, 0, "!"), "page_token");
    expect_invalid(list_mine(booth, as_user(USER), 6, 0, ""), "status");
    expect_invalid(list_mine(booth, as_user(USER), -1, 0, ""), "status");
    expect_invalid(list_mine(booth, as_user(USER), INT32_MAX, 0, ""), "status");
    booth_close(booth);
}

Test(coupons, of_a_user_are_listed_by_status_and_page)
{
    struct booth *booth = booth_open((struct rig_size){0});
    int64_t ids[5];
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i] = given_coupon(booth, USER, (struct terms){0});
    given_coupon(booth, USER + 1, (struct terms){0});
    reply_of(hold(booth, (struct wish){USER, ids[1], 1001, 10000}));
    reply_of(redeem(booth, 501, (struct wish){USER, ids[2], 1002, 10000}));
    coupon_of(cancel(booth, as_admin(), ids[3]));

    const Baro__Coupon__UserCouponPage *page = reply_of(list_mine(booth, as_user(USER), 0, 3, ""));
    cr_assert_eq(page->n_items, 3);
    cr_assert_eq(page->items[0]->id, ids[4]);
    page = reply_of(list_mine(booth, as_user(USER), 0, 3, page->next_page_token));
    cr_assert_eq(page->n_items, 2);
    cr_assert_eq(page->items[1]->id, ids[0]);
    cr_assert_str_eq(page->next_page_token, "");

    static const struct {
        int status;
        size_t count, newest;
    } ROWS[] = {
        {BARO__COUPON__COUPON_STATUS__COUPON_STATUS_AVAILABLE, 2, 4},
        {BARO__COUPON__COUPON_STATUS__COUPON_STATUS_HELD,      1, 1},
        {BARO__COUPON__COUPON_STATUS__COUPON_STATUS_USED,      1, 2},
        {BARO__COUPON__COUPON_STATUS__COUPON_STATUS_EXPIRED,   0, 0},
        {BARO__COUPON__COUPON_STATUS__COUPON_STATUS_CANCELLED, 1, 3},
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        page = reply_of(list_mine(booth, as_user(USER), ROWS[i].status, 0, ""));
        cr_assert_eq(page->n_items, ROWS[i].count, "row %zu", i);
        if (page->n_items)
            cr_assert_eq(page->items[0]->id, ids[ROWS[i].newest], "row %zu", i);
    }
    page = reply_of(list_mine(booth, as_user(USER), 3, 0, ""));
    cr_assert_eq(page->items[0]->order_id->value, 1002);
    cr_assert_not_null(page->items[0]->used_at);
    booth_close(booth);
}

// Who may call what: one column a caller, 'y' may, 'u' is not signed in, 'f' is forbidden.
Test(access, is_default_deny_for_every_method_and_caller)
{
    static const struct {
        const char *method;
        const char *nobody_user_admin_service;
    } ROWS[] = {
        {"ListCampaigns",    "yyyy"},
        {"GetCampaign",      "yyyy"},
        {"CreateCampaign",   "ufyf"},
        {"UpdateCampaign",   "ufyf"},
        {"Claim",            "uyyf"},
        {"ListUserCoupons",  "uyyf"},
        {"CancelUserCoupon", "ufyf"},
        {"HoldCoupon",       "uffy"},
        {"RedeemCoupon",     "uffy"},
        {"RestoreCoupon",    "uffy"},
        {"CheckLaw",         "uffy"},
        {"ListOrderFacts",   "uffy"},
    };
    struct booth *booth = booth_open((struct rig_size){0});
    const struct as callers[] = {as_nobody(), as_user(USER), as_admin(), as_service()};
    Baro__Empty request;
    baro__empty__init(&request);
    cr_assert_eq(COUNT(ROWS), coupon_methods.count);
    for (size_t i = 0; i < COUNT(ROWS); i++)
        for (size_t c = 0; c < COUNT(callers); c++) {
            const struct asked *asked =
                rig_call(booth->rig, ROWS[i].method, callers[c], &request.base);
            char expected = ROWS[i].nobody_user_admin_service[c];
            char got = asked->code == STATUS_UNAUTHENTICATED     ? 'u'
                       : asked->code == STATUS_PERMISSION_DENIED ? 'f'
                                                                 : 'y';
            cr_assert_eq(got, expected, "%s by caller %zu", ROWS[i].method, c);
        }
    booth_close(booth);
}
