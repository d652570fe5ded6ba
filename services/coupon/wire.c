// The numbers of types and statuses are the same on both sides, which is asserted here and nowhere
// relied on.

#include "services/coupon/wire.h"

#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/service/page.h"

#include <assert.h>

static const char PAGE_ORDER[] = "newest";

static_assert((int)COUPON_FIXED == BARO__COUPON__COUPON_TYPE__COUPON_TYPE_FIXED, "numbered alike");
static_assert((int)COUPON_PERCENT == BARO__COUPON__COUPON_TYPE__COUPON_TYPE_PERCENT,
              "numbered alike");
static_assert((int)COUPON_AVAILABLE == BARO__COUPON__COUPON_STATUS__COUPON_STATUS_AVAILABLE,
              "numbered alike");
static_assert((int)COUPON_HELD == BARO__COUPON__COUPON_STATUS__COUPON_STATUS_HELD,
              "numbered alike");
static_assert((int)COUPON_USED == BARO__COUPON__COUPON_STATUS__COUPON_STATUS_USED,
              "numbered alike");
static_assert((int)COUPON_EXPIRED == BARO__COUPON__COUPON_STATUS__COUPON_STATUS_EXPIRED,
              "numbered alike");
static_assert((int)COUPON_CANCELLED == BARO__COUPON__COUPON_STATUS__COUPON_STATUS_CANCELLED,
              "numbered alike");

static Baro__Decimal *decimal(int64_t hundredths, struct arena *arena)
{
    Baro__Decimal *message = arena_alloc(arena, sizeof(*message));
    baro__decimal__init(message);
    message->hundredths = hundredths;
    return message;
}

static Baro__Coupon__Campaign *make_campaign(const struct campaign *campaign, struct arena *arena)
{
    Baro__Coupon__Campaign *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__campaign__init(message);
    message->id = campaign->id;
    message->name = protobuf_text(campaign->name);
    message->code = protobuf_text(campaign->code);
    message->type = (Baro__Coupon__CouponType)campaign->type;
    message->value = decimal(campaign->value, arena);
    message->max_discount_amount = wire_optional(arena, campaign->max_discount_won);
    message->min_order_amount = campaign->min_order_won;
    message->total_quantity = campaign->total_quantity;
    message->starts_at = wire_time(arena, campaign->starts_at_us);
    message->ends_at = wire_time(arena, campaign->ends_at_us);
    message->valid_days = (int32_t)campaign->valid_days;
    message->last_day = wire_time(arena, campaign->last_day_us);
    message->remaining_quantity = campaign->total_quantity - campaign->claimed;
    message->claimed = campaign->claimed_by_caller;
    return message;
}

const ProtobufCMessage *wire_campaign(const struct campaign *campaign, struct arena *arena)
{
    return &make_campaign(campaign, arena)->base;
}

static Baro__Coupon__UserCoupon *make_user_coupon(const struct user_coupon *coupon,
                                                  struct arena *arena)
{
    Baro__Coupon__UserCoupon *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__user_coupon__init(message);
    message->id = coupon->id;
    message->coupon_id = coupon->campaign->id;
    message->name = protobuf_text(coupon->campaign->name);
    message->type = (Baro__Coupon__CouponType)coupon->campaign->type;
    message->value = decimal(coupon->campaign->value, arena);
    message->status = (Baro__Coupon__CouponStatus)coupon->status;
    message->rank = coupon->rank;
    message->issued_at = wire_time(arena, coupon->issued_at_us);
    message->expires_at = wire_time(arena, coupon->expires_at_us);
    message->used_at = wire_time(arena, coupon->used_at_us);
    message->order_id = wire_optional(arena, coupon->order_id);
    return message;
}

const ProtobufCMessage *wire_user_coupon(const struct user_coupon *coupon, struct arena *arena)
{
    return &make_user_coupon(coupon, arena)->base;
}

const ProtobufCMessage *wire_discount(const struct user_coupon *coupon, struct arena *arena)
{
    Baro__Coupon__Discount *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__discount__init(message);
    message->discount = coupon->discount_won;
    message->user_coupon_id = coupon->id;
    return &message->base;
}

// The token of the page after one that ends with this id; "" when nothing follows.
static char *next_token(struct arena *arena, bool more, int64_t last_id)
{
    return more ? page_token(arena, PAGE_ORDER, &last_id, 1) : text_copy(arena, "");
}

const ProtobufCMessage *wire_campaign_page(const struct campaign *campaigns, size_t count,
                                           size_t size, struct arena *arena)
{
    size_t shown = count < size ? count : size;
    Baro__Coupon__CampaignPage *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__campaign_page__init(message);
    message->n_items = shown;
    message->items = arena_array(arena, shown, sizeof(*message->items));
    for (size_t i = 0; i < shown; i++)
        message->items[i] = make_campaign(&campaigns[i], arena);
    message->next_page_token = next_token(arena, count > size, shown ? campaigns[shown - 1].id : 0);
    return &message->base;
}

const ProtobufCMessage *wire_user_coupon_page(const struct user_coupon *coupons, size_t count,
                                              size_t size, struct arena *arena)
{
    size_t shown = count < size ? count : size;
    Baro__Coupon__UserCouponPage *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__user_coupon_page__init(message);
    message->n_items = shown;
    message->items = arena_array(arena, shown, sizeof(*message->items));
    for (size_t i = 0; i < shown; i++)
        message->items[i] = make_user_coupon(&coupons[i], arena);
    message->next_page_token = next_token(arena, count > size, shown ? coupons[shown - 1].id : 0);
    return &message->base;
}

struct status wire_page_query(int32_t asked, const char *token, struct arena *arena,
                              struct page_query *query)
{
    int64_t size;
    *query = (struct page_query){.below_id = INT64_MAX};
    struct status st = page_size(asked, &size);
    if (!failed(st) && token[0])
        st = page_token_parse(arena, token, PAGE_ORDER, &query->below_id, 1);
    if (!failed(st))
        query->limit = size + 1;
    return st;
}

// 0 stands for none in a campaign; who gives 0 means no discount, which campaign_check refuses.
static int64_t given_maximum(const Baro__Int64 *given)
{
    if (!given)
        return 0;
    return given->value ? given->value : -1;
}

struct campaign wire_new_campaign(const Baro__Coupon__CreateCampaignRequest *request,
                                  struct arena *arena)
{
    return (struct campaign){
        .name = text_trim(arena, request->name),
        .code = text_trim(arena, request->code),
        .type = (enum coupon_type)request->type,
        .value = request->value ? request->value->hundredths : 0,
        .max_discount_won = given_maximum(request->max_discount_amount),
        .min_order_won = request->min_order_amount,
        .total_quantity = request->total_quantity,
        .starts_at_us = wire_us(request->starts_at),
        .ends_at_us = wire_us(request->ends_at),
        .valid_days = request->valid_days,
        .last_day_us = wire_us(request->last_day),
    };
}

void wire_change_campaign(const Baro__Coupon__UpdateCampaignRequest *request, struct arena *arena,
                          struct campaign *campaign)
{
    if (request->name)
        campaign->name = text_trim(arena, request->name->value);
    if (request->total_quantity)
        campaign->total_quantity = request->total_quantity->value;
    if (request->starts_at)
        campaign->starts_at_us = request->starts_at->us;
    if (request->ends_at)
        campaign->ends_at_us = request->ends_at->us;
}
