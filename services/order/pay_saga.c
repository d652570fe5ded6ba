// The payment: coupon, then wallet, then stock (SPEC 2). Everything that can be refused comes before
// the first thing that cannot be taken back silently; the steps after the pivot are asked until they
// are done, except that a hold that is gone is a refusal too.
//
// The last two rows run only when the saga gives up the order as well: a payment that was merely refused
// keeps its hold, so that the user may try again.

#include "services/order/pay_saga.h"

#include "lib/base/macros.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "proto/user.pb-c.h"

#include <string.h>

#define COUPON(method) "baro.coupon.Coupon/" method
#define USER(method) "baro.user.User/" method
#define PRODUCT(method) "baro.product.Product/" method

typedef const ProtobufCMessage *request(const struct saga *saga, struct arena *arena);
typedef void accept(struct saga *saga, const ProtobufCMessage *reply);

static request redeem_request, restore_request, debit_request, refund_request, confirm_request,
    release_stock_request, release_coupon_request;
static accept redeem_accept;

// clang-format off
static const struct saga_step STEPS[] = {
    {.name = "redeem_coupon",  .participant = "coupon",  .kind = SAGA_COMPENSATABLE,
     .action = COUPON("RedeemCoupon"),   .request = redeem_request,
     .compensation = COUPON("RestoreCoupon"), .compensation_request = restore_request,
     .reply = &baro__coupon__discount__descriptor, .accept = redeem_accept},
    {.name = "debit_wallet",   .participant = "user",    .kind = SAGA_PIVOT,
     .action = USER("DebitWallet"),      .request = debit_request,
     .compensation = USER("RefundWallet"),    .compensation_request = refund_request},
    {.name = "confirm_stock",  .participant = "product", .kind = SAGA_RETRIABLE,
     .action = PRODUCT("ConfirmStock"),  .request = confirm_request},
    {.name = "release_stock",  .participant = "product", .kind = SAGA_ON_FAILURE,
     .action = PRODUCT("ReleaseStock"),  .request = release_stock_request},
    {.name = "release_coupon", .participant = "coupon",  .kind = SAGA_ON_FAILURE,
     .action = COUPON("RestoreCoupon"),  .request = release_coupon_request},
};
// clang-format on

const struct saga_definition pay_saga = {
    .kind = "pay",
    .context = &baro__order__pay_context__descriptor,
    .steps = STEPS,
    .step_count = COUNT(STEPS),
};

static const Baro__Order__PayContext *context_of(const struct saga *saga)
{
    return (const Baro__Order__PayContext *)saga->context;
}

static const ProtobufCMessage *redeem_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__PayContext *pay = context_of(saga);
    if (!pay->user_coupon_id)
        return NULL;
    Baro__Coupon__RedeemCouponRequest *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__redeem_coupon_request__init(message);
    message->user_id = pay->user_id;
    message->user_coupon_id = pay->user_coupon_id;
    message->order_id = pay->order_id;
    message->amount = pay->total_amount;
    return &message->base;
}

static void redeem_accept(struct saga *saga, const ProtobufCMessage *reply)
{
    Baro__Order__PayContext *pay = (Baro__Order__PayContext *)saga->context;
    const Baro__Coupon__Discount *discount = (const Baro__Coupon__Discount *)reply;
    pay->discount_amount = discount->discount;
    pay->final_amount = pay->total_amount - discount->discount;
}

static const ProtobufCMessage *restore_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__PayContext *pay = context_of(saga);
    if (!pay->user_coupon_id)
        return NULL;
    Baro__Coupon__CouponStepRequest *message = arena_alloc(arena, sizeof(*message));
    baro__coupon__coupon_step_request__init(message);
    message->user_coupon_id = pay->user_coupon_id;
    message->order_id = pay->order_id;
    return &message->base;
}

static const ProtobufCMessage *debit_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__PayContext *pay = context_of(saga);
    if (pay->final_amount == 0)
        return NULL;
    Baro__User__DebitWalletRequest *message = arena_alloc(arena, sizeof(*message));
    baro__user__debit_wallet_request__init(message);
    message->user_id = pay->user_id;
    message->order_id = pay->order_id;
    message->amount = pay->final_amount;
    return &message->base;
}

// Also when the final amount is 0 now: after a takeover the discount is not known yet.
static const ProtobufCMessage *refund_request(const struct saga *saga, struct arena *arena)
{
    const Baro__Order__PayContext *pay = context_of(saga);
    Baro__User__RefundWalletRequest *message = arena_alloc(arena, sizeof(*message));
    baro__user__refund_wallet_request__init(message);
    message->user_id = pay->user_id;
    message->order_id = pay->order_id;
    return &message->base;
}

static const ProtobufCMessage *confirm_request(const struct saga *saga, struct arena *arena)
{
    Baro__Product__StockStepRequest *message = arena_alloc(arena, sizeof(*message));
    baro__product__stock_step_request__init(message);
    message->order_id = context_of(saga)->order_id;
    return &message->base;
}

static bool gives_up_order(const struct saga *saga)
{
    return context_of(saga)->checkout || saga->held ||
           saga->failure.reason == REASON_SYSTEM_FAILURE ||
           saga->failure.reason == REASON_HOLD_LOST;
}

static const ProtobufCMessage *release_stock_request(const struct saga *saga, struct arena *arena)
{
    return gives_up_order(saga) ? confirm_request(saga, arena) : NULL;
}

// A coupon that was held since the order was placed and never reached its redemption.
static const ProtobufCMessage *release_coupon_request(const struct saga *saga, struct arena *arena)
{
    return gives_up_order(saga) ? restore_request(saga, arena) : NULL;
}

const struct saga_definition *saga_definition_of(const char *kind)
{
    static const struct saga_definition *const DEFINITIONS[] = {&pay_saga, &refund_saga,
                                                                &release_saga};
    for (size_t i = 0; i < COUNT(DEFINITIONS); i++)
        if (strcmp(DEFINITIONS[i]->kind, kind) == 0)
            return DEFINITIONS[i];
    return NULL;
}

enum result { RESULT_DONE, RESULT_REFUSED, RESULT_HOLD_LOST, RESULT_FAULT };

static enum result result_of(struct status failure)
{
    if (!failed(failure))
        return RESULT_DONE;
    if (failure.reason == REASON_HOLD_LOST)
        return RESULT_HOLD_LOST;
    return failure.reason == REASON_SYSTEM_FAILURE ? RESULT_FAULT : RESULT_REFUSED;
}

enum { ANY = -1 };

// The failure table of SPEC 2. An order that is HELD is either paid or given up: SPEC draws no way
// back to PENDING from there.
static const struct {
    enum order_status now;
    enum result result;
    int checkout;
    size_t step_count;
    enum order_event steps[2];
} ENDS[] = {
    {ORDER_PAYING, RESULT_DONE,      ANY,   1, {ORDER_COMPLETE}                },
    {ORDER_PAYING, RESULT_REFUSED,   false, 1, {ORDER_REFUSE}                  },
    {ORDER_PAYING, RESULT_REFUSED,   true,  1, {ORDER_FAIL}                    },
    {ORDER_PAYING, RESULT_HOLD_LOST, false, 1, {ORDER_LOSE_HOLD}               },
    {ORDER_PAYING, RESULT_HOLD_LOST, true,  1, {ORDER_FAIL}                    },
    {ORDER_PAYING, RESULT_FAULT,     ANY,   2, {ORDER_GO_SILENT, ORDER_GIVE_UP}},
    {ORDER_HELD,   RESULT_DONE,      ANY,   1, {ORDER_COMPLETE}                },
    {ORDER_HELD,   RESULT_REFUSED,   ANY,   1, {ORDER_GIVE_UP}                 },
    {ORDER_HELD,   RESULT_HOLD_LOST, ANY,   1, {ORDER_GIVE_UP}                 },
    {ORDER_HELD,   RESULT_FAULT,     ANY,   1, {ORDER_GIVE_UP}                 },
};

// The words under which an event stands in the order's timeline.
static const char *reason_of(enum order_event event, struct status failure)
{
    if (event == ORDER_COMPLETE)
        return NULL;
    if (event == ORDER_GO_SILENT)
        return reason_word(REASON_OUTCOME_UNKNOWN);
    if (event == ORDER_GIVE_UP)
        return reason_word(REASON_SYSTEM_FAILURE);
    return reason_word(failure.reason);
}

static struct status answer_of(enum result result, struct status failure)
{
    if (result == RESULT_HOLD_LOST)
        return refuse(REASON_ORDER_EXPIRED, "the stock that was held for the order is gone");
    return failure;
}

struct pay_end pay_saga_end(enum order_status now, bool checkout, struct status failure)
{
    enum result result = result_of(failure);
    struct pay_end end = {
        .payment = result == RESULT_DONE ? PAYMENT_COMPLETE : PAYMENT_FAIL,
        .payment_reason = result == RESULT_DONE ? NULL : reason_word(failure.reason),
        .answer = answer_of(result, failure),
    };
    for (size_t i = 0; i < COUNT(ENDS); i++) {
        if (ENDS[i].now != now || ENDS[i].result != result)
            continue;
        if (ENDS[i].checkout != ANY && ENDS[i].checkout != checkout)
            continue;
        for (; end.step_count < ENDS[i].step_count; end.step_count++) {
            end.steps[end.step_count].event = ENDS[i].steps[end.step_count];
            end.steps[end.step_count].reason = reason_of(ENDS[i].steps[end.step_count], failure);
        }
    }
    return end;
}
