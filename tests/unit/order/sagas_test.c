// What the saga tables ask of whom, and what the end of a payment means.

#include "services/order/pay_saga.h"

#include "lib/base/macros.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/user.pb-c.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct saga_step *step_of(const struct saga_definition *definition, const char *name)
{
    for (size_t i = 0; i < definition->step_count; i++)
        if (strcmp(definition->steps[i].name, name) == 0)
            return &definition->steps[i];
    cr_assert_fail("no step %s", name);
    return NULL;
}

// A payment of 2,000 won by user 3 for order 5, with coupon 7 if asked for.
struct payment_saga {
    Baro__Order__PayContext context;
    struct saga saga;
};

static struct payment_saga *given_saga(struct arena *arena, int64_t user_coupon_id)
{
    struct payment_saga *given = arena_alloc(arena, sizeof(*given));
    baro__order__pay_context__init(&given->context);
    given->context.order_id = 5;
    given->context.user_id = 3;
    given->context.total_amount = given->context.final_amount = 2000;
    given->context.user_coupon_id = user_coupon_id;
    given->saga.definition = &pay_saga;
    given->saga.context = &given->context.base;
    return given;
}

static bool asks(const struct payment_saga *given, struct arena *arena, const char *step)
{
    return step_of(&pay_saga, step)->request(&given->saga, arena) != NULL;
}

Test(pay_saga, goes_from_coupon_to_wallet_to_stock)
{
    static const struct {
        const char *name, *participant;
        enum saga_step_kind kind;
    } STEPS[] = {
        {"redeem_coupon",  "coupon",  SAGA_COMPENSATABLE},
        {"debit_wallet",   "user",    SAGA_PIVOT        },
        {"confirm_stock",  "product", SAGA_RETRIABLE    },
        {"release_stock",  "product", SAGA_ON_FAILURE   },
        {"release_coupon", "coupon",  SAGA_ON_FAILURE   },
    };
    cr_assert_eq(pay_saga.step_count, COUNT(STEPS));
    for (size_t i = 0; i < COUNT(STEPS); i++) {
        cr_assert_str_eq(pay_saga.steps[i].name, STEPS[i].name);
        cr_assert_str_eq(pay_saga.steps[i].participant, STEPS[i].participant);
        cr_assert_eq(pay_saga.steps[i].kind, STEPS[i].kind);
    }
}

Test(pay_saga, asks_the_coupon_service_only_for_a_coupon)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert_not(asks(given_saga(arena, 0), arena, "redeem_coupon"));
    const struct payment_saga *given = given_saga(arena, 7);
    const Baro__Coupon__RedeemCouponRequest *request =
        (const Baro__Coupon__RedeemCouponRequest *)step_of(&pay_saga, "redeem_coupon")
            ->request(&given->saga, arena);
    cr_assert_eq(request->user_coupon_id, 7);
    cr_assert_eq(request->order_id, 5);
    cr_assert_eq(request->amount, 2000);
}

Test(pay_saga, debits_what_the_coupon_leaves_and_nothing_when_it_leaves_nothing)
{
    SCOPED(arena) *arena = arena_create();
    struct payment_saga *given = given_saga(arena, 7);
    Baro__Coupon__Discount discount;
    baro__coupon__discount__init(&discount);
    discount.discount = 500;
    step_of(&pay_saga, "redeem_coupon")->accept(&given->saga, &discount.base);
    const Baro__User__DebitWalletRequest *request =
        (const Baro__User__DebitWalletRequest *)step_of(&pay_saga, "debit_wallet")
            ->request(&given->saga, arena);
    cr_assert_eq(request->amount, 1500);
    cr_assert_eq(request->user_id, 3);
    discount.discount = 2000;
    step_of(&pay_saga, "redeem_coupon")->accept(&given->saga, &discount.base);
    cr_assert_not(asks(given, arena, "debit_wallet"));
}

Test(pay_saga, releases_the_hold_only_when_the_order_is_given_up)
{
    static const struct {
        bool checkout, held;
        enum reason reason;
        bool releases;
    } ROWS[] = {
        {false, false, REASON_INSUFFICIENT_BALANCE, false},
        {false, false, REASON_COUPON_NOT_USABLE,    false},
        {true,  false, REASON_INSUFFICIENT_BALANCE, true },
        {true,  false, REASON_COUPON_NOT_USABLE,    true },
        {false, true,  REASON_INSUFFICIENT_BALANCE, true },
        {false, false, REASON_HOLD_LOST,            true },
        {false, false, REASON_SYSTEM_FAILURE,       true },
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct payment_saga *given = given_saga(arena, 7);
        given->context.checkout = ROWS[i].checkout;
        given->saga.held = ROWS[i].held;
        given->saga.failure = refuse(ROWS[i].reason, NULL);
        cr_assert_eq(asks(given, arena, "release_stock"), ROWS[i].releases, "%zu", i);
        cr_assert_eq(asks(given, arena, "release_coupon"), ROWS[i].releases, "%zu", i);
        given->context.user_coupon_id = 0;
        cr_assert_not(asks(given, arena, "release_coupon"));
    }
}

// "Failure of a payment, in one place" (SPEC 2).
Test(pay_saga, its_end_is_that_of_the_failure_table)
{
    static const struct {
        enum order_status now;
        bool checkout;
        enum reason failure;
        enum order_status order;
        enum payment_event payment;
        const char *order_reason;
        enum reason answer;
    } ROWS[] = {
        {ORDER_PAYING, false, REASON_NONE,                 ORDER_PAID,      PAYMENT_COMPLETE, NULL,             REASON_NONE                },
        {ORDER_PAYING, true,  REASON_NONE,                 ORDER_PAID,      PAYMENT_COMPLETE, NULL,             REASON_NONE                },
        {ORDER_PAYING, false, REASON_INSUFFICIENT_BALANCE, ORDER_PENDING,   PAYMENT_FAIL,
         "INSUFFICIENT_BALANCE",                                                                                REASON_INSUFFICIENT_BALANCE},
        {ORDER_PAYING, false, REASON_COUPON_NOT_USABLE,    ORDER_PENDING,   PAYMENT_FAIL,
         "COUPON_NOT_USABLE",                                                                                   REASON_COUPON_NOT_USABLE   },
        {ORDER_PAYING, true,  REASON_INSUFFICIENT_BALANCE, ORDER_FAILED,    PAYMENT_FAIL,
         "INSUFFICIENT_BALANCE",                                                                                REASON_INSUFFICIENT_BALANCE},
        {ORDER_PAYING, false, REASON_HOLD_LOST,            ORDER_EXPIRED,   PAYMENT_FAIL,     "HOLD_LOST",
         REASON_ORDER_EXPIRED                                                                                                              },
        {ORDER_PAYING, true,  REASON_HOLD_LOST,            ORDER_FAILED,    PAYMENT_FAIL,     "HOLD_LOST",
         REASON_ORDER_EXPIRED                                                                                                              },
        {ORDER_PAYING, false, REASON_SYSTEM_FAILURE,       ORDER_CANCELLED, PAYMENT_FAIL,
         "SYSTEM_FAILURE",                                                                                      REASON_SYSTEM_FAILURE      },
        {ORDER_HELD,   false, REASON_NONE,                 ORDER_PAID,      PAYMENT_COMPLETE, NULL,             REASON_NONE                },
        {ORDER_HELD,   false, REASON_SYSTEM_FAILURE,       ORDER_CANCELLED, PAYMENT_FAIL,     "SYSTEM_FAILURE",
         REASON_SYSTEM_FAILURE                                                                                                             },
        {ORDER_HELD,   false, REASON_INSUFFICIENT_BALANCE, ORDER_CANCELLED, PAYMENT_FAIL,
         "SYSTEM_FAILURE",                                                                                      REASON_INSUFFICIENT_BALANCE},
        {ORDER_HELD,   true,  REASON_HOLD_LOST,            ORDER_CANCELLED, PAYMENT_FAIL,     "SYSTEM_FAILURE",
         REASON_ORDER_EXPIRED                                                                                                              },
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct status failure = ROWS[i].failure ? refuse(ROWS[i].failure, NULL) : OK;
        struct pay_end end = pay_saga_end(ROWS[i].now, ROWS[i].checkout, failure);
        struct order order = {.status = ROWS[i].now};
        cr_assert_gt(end.step_count, 0);
        for (size_t j = 0; j < end.step_count; j++)
            cr_assert(order_apply(&order, arena, end.steps[j].event, end.steps[j].reason, 1));
        cr_assert_eq(order.status, ROWS[i].order, "%zu", i);
        cr_assert_eq(end.payment, ROWS[i].payment, "%zu", i);
        cr_assert_eq(end.answer.reason, ROWS[i].answer, "%zu", i);
        const char *reason = order.changes[order.change_count - 1].reason;
        cr_assert_eq(reason == NULL, ROWS[i].order_reason == NULL);
        if (reason)
            cr_assert_str_eq(reason, ROWS[i].order_reason);
    }
}

Test(pay_saga, has_no_end_for_an_order_that_is_not_being_paid)
{
    for (int now = ORDER_PENDING; now <= ORDER_REFUNDED; now++)
        if (now != ORDER_PAYING && now != ORDER_HELD)
            cr_assert_eq(pay_saga_end((enum order_status)now, false, OK).step_count, 0);
}

Test(refund_saga, asks_for_money_and_coupon_only_when_there_were_any)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Order__OrderContext context;
    baro__order__order_context__init(&context);
    struct saga saga = {.definition = &refund_saga, .context = &context.base};
    for (int coupon = 0; coupon <= 1; coupon++)
        for (int amount = 0; amount <= 1; amount++) {
            context.user_coupon_id = coupon;
            context.amount = amount;
            const struct saga_step *refund = step_of(&refund_saga, "refund_wallet");
            const struct saga_step *restore = step_of(&refund_saga, "restore_coupon");
            cr_assert_eq(refund->request(&saga, arena) != NULL, amount != 0);
            cr_assert_eq(restore->request(&saga, arena) != NULL, coupon != 0);
            cr_assert_not_null(step_of(&refund_saga, "return_stock")->request(&saga, arena));
        }
}

Test(release_saga, gives_back_the_stock_always_and_the_coupon_when_there_was_one)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Order__OrderContext context;
    baro__order__order_context__init(&context);
    struct saga saga = {.definition = &release_saga, .context = &context.base};
    const struct saga_step *restore = step_of(&release_saga, "restore_coupon");
    cr_assert_not_null(step_of(&release_saga, "release_stock")->request(&saga, arena));
    cr_assert_null(restore->request(&saga, arena));
    context.user_coupon_id = 1;
    cr_assert_not_null(restore->request(&saga, arena));
}

Test(sagas, after_the_decision_nothing_can_be_refused)
{
    static const struct saga_definition *const DEFINITIONS[] = {&refund_saga, &release_saga};
    for (size_t i = 0; i < COUNT(DEFINITIONS); i++) {
        cr_assert_eq(saga_definition_of(DEFINITIONS[i]->kind), DEFINITIONS[i]);
        for (size_t j = 0; j < DEFINITIONS[i]->step_count; j++)
            cr_assert_eq(DEFINITIONS[i]->steps[j].kind, SAGA_RETRIABLE);
    }
    cr_assert_null(saga_definition_of("unheard of"));
}

Test(sagas, every_step_has_its_place_in_the_course)
{
    static const struct {
        const char *step;
        bool compensation;
    } COURSE[] = {
        {"redeem_coupon",  false},
        {"debit_wallet",   false},
        {"confirm_stock",  false},
        {"confirm_stock",  true },
        {"debit_wallet",   true },
        {"redeem_coupon",  true },
        {"release_stock",  false},
        {"release_coupon", false},
    };
    for (size_t i = 0, before = 0; i < COUNT(COURSE); i++) {
        size_t place = (size_t)saga_place(&pay_saga, COURSE[i].step, COURSE[i].compensation);
        cr_assert_gt(place, before, "%s", COURSE[i].step);
        before = place;
    }
    cr_assert_eq(saga_place(&pay_saga, "no_such_step", false), 0);
}
