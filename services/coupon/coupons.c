// The calls that show and change the coupons of users.
//
// The four that change one differ in a row of functions only (struct change). The coupons of a batch
// are locked in id order, all calls are applied in memory, and what has changed is written back at
// once, with a row of history for each change, also for one that a later call of the batch undoes.
//
// One coupon per order: the others of the orders are loaded too. Two batches that give one order two
// coupons at once meet at the unique index; the second runs again and sees.

#include "lib/base/clock.h"
#include "lib/saga/barrier.h"
#include "proto/coupon.pb-c.h"
#include "services/coupon/service.h"
#include "services/coupon/store.h"
#include "services/coupon/wire.h"

enum { TTL_MAX_MS = MS_PER_DAY };

static const struct status NO_COUPON = {STATUS_NOT_FOUND, REASON_COUPON_NOT_FOUND, NULL,
                                        "there is no such user coupon"};

// Enums of the wire are open: any number may come.
static struct status check_list(const Baro__Coupon__ListUserCouponsRequest *request,
                                struct arena *arena, struct page_query *query)
{
    if (!protobuf_c_enum_descriptor_get_value(&baro__coupon__coupon_status__descriptor,
                                              (int)request->status))
        return invalid("status", "must be AVAILABLE, HELD, USED, EXPIRED or CANCELLED");
    return wire_page_query(request->page_size, request->page_token, arena, query);
}

struct status handle_list_user_coupons(struct batch *batch)
{
    size_t first = 0;
    struct call *call = batch_next(batch, &first);
    const Baro__Coupon__ListUserCouponsRequest *request = (const void *)call->request;
    struct page_query query = {0};
    struct user_coupon *coupons;
    size_t count;

    struct status st = check_list(request, batch->arena, &query);
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

// The coupon that a call means.
struct target {
    struct user_coupon *coupon; // NULL: there is none
    bool order_has_another;     // the order of the call has a coupon that is not this one
    bool order_gave_back;       // and may have had one
};

// One kind of call: which coupon it means and for which order, what it does, what it answers.
struct change {
    int64_t (*coupon_of)(const struct call *call);
    int64_t (*order_of)(const struct call *call); // NULL: the order's other coupons do not matter
    struct status (*apply)(const struct target *target, const struct call *call, int64_t now_us);
    const ProtobufCMessage *(*reply)(const struct user_coupon *coupon, struct arena *arena);
    bool reserves; // it matters whether the order has given back
};

// What a batch works on: the locked coupons by id, and what becomes of them.
struct book {
    struct user_coupon *coupons;
    size_t count;
    struct order_list given_back;
    struct coupon_entry *entries; // at most one for each call
    size_t entry_count;
};

static struct status load(struct batch *batch, const struct change *change, struct book *book)
{
    struct coupon_query query = {
        .ids = arena_array(batch->arena, batch->count, sizeof(int64_t)),
        .order_ids = arena_array(batch->arena, batch->count, sizeof(int64_t)),
    };
    struct call *call;

    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        query.ids[query.count++] = change->coupon_of(call);
        if (change->order_of)
            query.order_ids[query.order_count++] = change->order_of(call);
    }
    *book = (struct book){
        .entries = arena_array(batch->arena, batch->count, sizeof(*book->entries)),
    };
    return store_lock_coupons(batch->tx, batch->arena, &query, &book->coupons, &book->count,
                              change->reserves ? &book->given_back : NULL);
}

static struct target find_target(const struct book *book, const struct change *change,
                                 const struct call *call)
{
    int64_t id = change->coupon_of(call);
    int64_t order = change->order_of ? change->order_of(call) : 0;
    struct target target = {NULL, false, false};

    for (size_t i = 0; i < book->count; i++) {
        struct user_coupon *coupon = &book->coupons[i];
        if (coupon->id == id)
            target.coupon = coupon;
        else if (order && coupon_belongs_to(coupon, order))
            target.order_has_another = true;
    }
    for (size_t i = 0; i < book->given_back.count; i++)
        target.order_gave_back |= book->given_back.ids[i] == order;
    return target;
}

static void apply(struct book *book, const struct change *change, struct call *call,
                  const struct batch *batch)
{
    struct target target = find_target(book, change, call);
    struct user_coupon before = {0};

    if (target.coupon)
        before = *target.coupon;
    struct status st = change->apply(&target, call, batch->now_us);
    if (failed(st))
        call_refuse(call, st);
    else
        call_reply(call, change->reply(target.coupon, batch->arena));
    if (target.coupon && target.coupon->status != before.status)
        book->entries[book->entry_count++] = coupon_changed(&before, target.coupon);
}

static struct status change_coupons(struct batch *batch, const struct change *change)
{
    struct book book;
    struct call *call;

    struct status st = load(batch, change, &book);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        apply(&book, change, call, batch);
    return store_save_coupons(batch->tx, batch->arena, book.coupons, book.count, book.entries,
                              book.entry_count, batch->now_us);
}

static const Baro__Coupon__HoldCouponRequest *hold_of(const struct call *call)
{
    return (const void *)call->request;
}

static int64_t held_coupon(const struct call *call)
{
    return hold_of(call)->user_coupon_id;
}

static int64_t holding_order(const struct call *call)
{
    return hold_of(call)->order_id;
}

static struct status apply_hold(const struct target *target, const struct call *call,
                                int64_t now_us)
{
    const Baro__Coupon__HoldCouponRequest *request = hold_of(call);
    struct coupon_wish wish = {
        .user_id = request->user_id,
        .order_id = request->order_id,
        .amount_won = request->amount,
        .has_another = target->order_has_another,
        .given_back = target->order_gave_back,
    };

    if (request->ttl_ms <= 0 || request->ttl_ms > TTL_MAX_MS)
        return invalid("ttl_ms", "a reservation lives for 1 ms to a day");
    return target->coupon
               ? coupon_hold(target->coupon, &wish, now_us, now_us + request->ttl_ms * US_PER_MS)
               : NO_COUPON;
}

static const Baro__Coupon__RedeemCouponRequest *redemption_of(const struct call *call)
{
    return (const void *)call->request;
}

static int64_t redeemed_coupon(const struct call *call)
{
    return redemption_of(call)->user_coupon_id;
}

static int64_t redeeming_order(const struct call *call)
{
    return redemption_of(call)->order_id;
}

static struct status apply_redeem(const struct target *target, const struct call *call,
                                  int64_t now_us)
{
    const Baro__Coupon__RedeemCouponRequest *request = redemption_of(call);
    struct coupon_wish wish = {
        .user_id = request->user_id,
        .order_id = request->order_id,
        .amount_won = request->amount,
        .has_another = target->order_has_another,
        .again = barrier_may_forget(call, now_us),
    };
    return target->coupon ? coupon_redeem(target->coupon, &wish, now_us) : NO_COUPON;
}

static int64_t restored_coupon(const struct call *call)
{
    return ((const Baro__Coupon__CouponStepRequest *)(const void *)call->request)->user_coupon_id;
}

// Never refused: what is not there, or not the order's any more, needs no giving back.
static struct status apply_restore(const struct target *target, const struct call *call,
                                   int64_t now_us)
{
    const Baro__Coupon__CouponStepRequest *request = (const void *)call->request;
    (void)now_us;
    if (target->coupon)
        coupon_restore(target->coupon, request->order_id);
    return OK;
}

static const ProtobufCMessage *reply_empty(const struct user_coupon *coupon, struct arena *arena)
{
    (void)coupon;
    (void)arena;
    return wire_empty();
}

static int64_t cancelled_coupon(const struct call *call)
{
    return ((const Baro__Coupon__CancelUserCouponRequest *)(const void *)call->request)
        ->user_coupon_id;
}

static struct status apply_cancel(const struct target *target, const struct call *call,
                                  int64_t now_us)
{
    (void)call;
    (void)now_us;
    return target->coupon ? coupon_cancel(target->coupon) : NO_COUPON;
}

static const struct change HOLD = {held_coupon, holding_order, apply_hold, wire_discount, true};
static const struct change REDEEM = {redeemed_coupon, redeeming_order, apply_redeem, wire_discount,
                                     false};
static const struct change RESTORE = {restored_coupon, NULL, apply_restore, reply_empty, false};
static const struct change CANCEL = {cancelled_coupon, NULL, apply_cancel, wire_user_coupon, false};

struct status handle_hold_coupon(struct batch *batch)
{
    return change_coupons(batch, &HOLD);
}

struct status handle_redeem_coupon(struct batch *batch)
{
    return change_coupons(batch, &REDEEM);
}

// Under the locks of the coupons: a reservation that is on its way is here already, or sees the note.
struct status handle_restore_coupon(struct batch *batch)
{
    int64_t *orders = arena_array(batch->arena, batch->count, sizeof(*orders));
    size_t count = 0;
    struct call *call;

    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        orders[count++] =
            ((const Baro__Coupon__CouponStepRequest *)(const void *)call->request)->order_id;
    struct status st = change_coupons(batch, &RESTORE);
    return failed(st) ? st : store_note_given_back(batch->tx, orders, count);
}

struct status handle_cancel_user_coupon(struct batch *batch)
{
    return change_coupons(batch, &CANCEL);
}
