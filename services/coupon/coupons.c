// The calls that show and change the coupons of users.
//
// The four that change one differ in two functions only: which coupon they mean, and what happens to
// it. The coupons of a batch are locked in id order, all calls are applied in memory, and what has
// changed is written back at once.

#include "lib/base/clock.h"
#include "proto/coupon.pb-c.h"
#include "services/coupon/service.h"
#include "services/coupon/store.h"
#include "services/coupon/wire.h"

#include <stdlib.h>

static const struct status NO_COUPON = {STATUS_NOT_FOUND, REASON_COUPON_NOT_FOUND, NULL,
                                        "there is no such user coupon"};

struct status handle_list_user_coupons(struct batch *batch)
{
    size_t first = 0;
    struct call *call = batch_next(batch, &first);
    const Baro__Coupon__ListUserCouponsRequest *request = (const void *)call->request;
    struct page_query query;
    struct user_coupon *coupons;
    size_t count;

    struct status st =
        wire_page_query(request->page_size, request->page_token, batch->arena, &query);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    st = store_list_coupons(batch->tx, batch->arena, call->caller.user_id,
                            (enum coupon_status)request->status, query.below_id, query.limit,
                            &coupons, &count);
    if (!failed(st))
        call_reply(call,
                   wire_user_coupon_page(coupons, count, (size_t)query.limit - 1, batch->arena));
    return st;
}

// What one kind of call does to its coupon, which is NULL when there is none.
struct change {
    int64_t (*coupon_of)(const struct call *call);
    struct status (*apply)(struct user_coupon *coupon, const struct call *call, int64_t now_us);
    const ProtobufCMessage *(*reply)(const struct user_coupon *coupon, struct arena *arena);
};

// Rows come by id, ascending.
static int compare_id(const void *id, const void *row)
{
    int64_t left = *(const int64_t *)id, right = ((const struct user_coupon *)row)->id;
    return (left > right) - (left < right);
}

static struct user_coupon *find_coupon(struct user_coupon *coupons, size_t count, int64_t id)
{
    return bsearch(&id, coupons, count, sizeof(*coupons), compare_id);
}

static struct status change_coupons(struct batch *batch, const struct change *change)
{
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    struct user_coupon *coupons;
    size_t count = 0, found;
    struct call *call;

    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[count++] = change->coupon_of(call);
    struct status st = store_lock_coupons(batch->tx, batch->arena, ids, count, &coupons, &found);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct user_coupon *coupon = find_coupon(coupons, found, change->coupon_of(call));
        st = change->apply(coupon, call, batch->now_us);
        if (failed(st))
            call_refuse(call, st);
        else
            call_reply(call, change->reply(coupon, batch->arena));
    }
    return store_save_coupons(batch->tx, batch->arena, coupons, found, batch->now_us);
}

static int64_t held_coupon(const struct call *call)
{
    return ((const Baro__Coupon__HoldCouponRequest *)(const void *)call->request)->user_coupon_id;
}

static struct status apply_hold(struct user_coupon *coupon, const struct call *call, int64_t now_us)
{
    const Baro__Coupon__HoldCouponRequest *request = (const void *)call->request;
    struct coupon_wish wish = {request->user_id, request->order_id, request->amount};

    if (request->ttl_ms <= 0)
        return invalid("ttl_ms", "a reservation has a time to live");
    if (!coupon)
        return NO_COUPON;
    return coupon_hold(coupon, &wish, now_us, now_us + request->ttl_ms * US_PER_MS);
}

static int64_t redeemed_coupon(const struct call *call)
{
    return ((const Baro__Coupon__RedeemCouponRequest *)(const void *)call->request)->user_coupon_id;
}

static struct status apply_redeem(struct user_coupon *coupon, const struct call *call,
                                  int64_t now_us)
{
    const Baro__Coupon__RedeemCouponRequest *request = (const void *)call->request;
    struct coupon_wish wish = {request->user_id, request->order_id, request->amount};
    return coupon ? coupon_redeem(coupon, &wish, now_us) : NO_COUPON;
}

static int64_t restored_coupon(const struct call *call)
{
    return ((const Baro__Coupon__CouponStepRequest *)(const void *)call->request)->user_coupon_id;
}

// Never refused: what is not there, or not the order's any more, needs no giving back.
static struct status apply_restore(struct user_coupon *coupon, const struct call *call,
                                   int64_t now_us)
{
    const Baro__Coupon__CouponStepRequest *request = (const void *)call->request;
    (void)now_us;
    if (coupon)
        coupon_restore(coupon, request->order_id);
    return OK;
}

static const ProtobufCMessage *reply_empty(const struct user_coupon *coupon, struct arena *arena)
{
    (void)coupon;
    return wire_empty(arena);
}

static int64_t cancelled_coupon(const struct call *call)
{
    return ((const Baro__Coupon__CancelUserCouponRequest *)(const void *)call->request)
        ->user_coupon_id;
}

static struct status apply_cancel(struct user_coupon *coupon, const struct call *call,
                                  int64_t now_us)
{
    (void)call;
    (void)now_us;
    return coupon ? coupon_cancel(coupon) : NO_COUPON;
}

static const struct change HOLD = {held_coupon, apply_hold, wire_discount};
static const struct change REDEEM = {redeemed_coupon, apply_redeem, wire_discount};
static const struct change RESTORE = {restored_coupon, apply_restore, reply_empty};
static const struct change CANCEL = {cancelled_coupon, apply_cancel, wire_user_coupon};

struct status handle_hold_coupon(struct batch *batch)
{
    return change_coupons(batch, &HOLD);
}

struct status handle_redeem_coupon(struct batch *batch)
{
    return change_coupons(batch, &REDEEM);
}

struct status handle_restore_coupon(struct batch *batch)
{
    return change_coupons(batch, &RESTORE);
}

struct status handle_cancel_user_coupon(struct batch *batch)
{
    return change_coupons(batch, &CANCEL);
}
