#pragma once
// Domain <-> protobuf. Messages live in the arena and borrow the texts of what they show.

#include "lib/service/wire.h"
#include "proto/coupon.pb-c.h"
#include "services/coupon/coupon.h"

const ProtobufCMessage *wire_campaign(const struct campaign *campaign, struct arena *arena);
const ProtobufCMessage *wire_user_coupon(const struct user_coupon *coupon, struct arena *arena);
const ProtobufCMessage *wire_discount(const struct user_coupon *coupon, struct arena *arena);

// One page of at most `size`; more than that means that there is a next page.
const ProtobufCMessage *wire_campaign_page(const struct campaign *campaigns, size_t count,
                                           size_t size, struct arena *arena);
const ProtobufCMessage *wire_user_coupon_page(const struct user_coupon *coupons, size_t count,
                                              size_t size, struct arena *arena);

// What a page asks: one row more than it shows, below an id. VALIDATION_ERROR names the field.
struct page_query {
    int64_t below_id;
    int64_t limit;
};
struct status wire_page_query(int32_t page_size, const char *page_token, struct arena *arena,
                              struct page_query *query);

// A campaign as an admin entered it; texts are trimmed copies.
struct campaign wire_new_campaign(const Baro__Coupon__CreateCampaignRequest *request,
                                  struct arena *arena);

// Changes what the request has.
void wire_change_campaign(const Baro__Coupon__UpdateCampaignRequest *request, struct arena *arena,
                          struct campaign *campaign);
