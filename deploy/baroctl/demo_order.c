// Lives of orders. A fate is a row of steps; each step comes some time after the one before and changes
// the order by the rules of its service. What would lie in the future has not happened: that is how the
// youngest orders come to be PENDING, PAID, PREPARING or SHIPPING.
//
// Invariant: after each step, money, stock, coupon and order agree as the laws of SPEC 8 want it.

#include "deploy/baroctl/demo.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/timeid.h"
#include "proto/order.pb-c.h"

#include <assert.h>

enum {
    TTL_S = 600,
    CHECKOUT_TTL_S = 30,
    USER_TRIES = 8,
    QUANTITY_MAX = 3,
    RESTOCK = 500,
    COUPON_PER_MILLE = 120,
    TOP_UP_UNIT_WON = 10000,
    CHARGE_MAX_WON = 100000,
    STEPS_MAX = 6,
    HOUR_S = 3600,
};

typedef void demo_step(struct demo_life *life);

static demo_step pay, pay_short, check_out_short, pay_late, give_up, park_payment, cancel, expire,
    refund, park_refund, prepare, ship, deliver;

// What comes, and how long after the step before, in seconds.
struct step {
    demo_step *happen;
    int64_t low_s, high_s;
};

// Shares are per mille.
struct demo_fate {
    int share;
    bool checkout;
    struct step steps[STEPS_MAX];
};

#define PAY {pay, 20, 300}
#define EXPIRE {expire, TTL_S + 1, TTL_S + 30}
#define SENT                                                                                       \
    {prepare, HOUR_S, 24 * HOUR_S}, {ship, 6 * HOUR_S, 48 * HOUR_S},                               \
    {                                                                                              \
        deliver, 24 * HOUR_S, 96 * HOUR_S                                                          \
    }

// clang-format off
static const struct demo_fate FATES[] = {
    {540, false, {PAY, SENT}},
    { 80, true,  {{pay, 1, 2}, SENT}},
    { 40, false, {{pay_short, 10, 60}, PAY, SENT}},
    {  5, false, {{pay_late, 20, 200}, SENT}},
    { 70, false, {PAY, {refund, 600, 4 * HOUR_S}}},
    { 80, false, {{cancel, 30, 500}}},
    {130, false, {EXPIRE}},
    { 50, true,  {{check_out_short, 1, 2}}},
    {  5, false, {{give_up, 20, 200}}},
};
// One each in a load: somebody should look at them.
static const struct demo_fate PARKED[] = {
    {0, false, {{park_payment, 10, 20}}},
    {0, false, {{pay, 10, 20}, {park_refund, 30, 60}}},
};
// clang-format on

// Of an order whose customer is busy with another one.
static const struct demo_fate UNPAID = {0, false, {EXPIRE}};

const struct demo_fate *demo_draw_fate(struct demo *demo, int64_t until_young)
{
    int64_t number = demo_random(demo, 0, 999);
    if (until_young >= 0 && until_young < (int64_t)COUNT(PARKED))
        return &PARKED[until_young];
    size_t i = 0;
    while ((number -= FATES[i].share) >= 0)
        i++;
    return &FATES[i];
}

// Placing

static struct demo_user *find_user(struct demo *demo, int64_t at_us, const struct demo_fate **fate)
{
    struct demo_user *user = NULL;
    for (int i = 0; i < USER_TRIES; i++) {
        user = &demo->users[demo_random(demo, 0, demo->size.users - 1)];
        if (user->busy_until_us < at_us)
            return user;
    }
    *fate = &UNPAID;
    return user;
}

static bool has_line(const struct demo_life *life, const struct stock *stock)
{
    for (size_t i = 0; i < life->order.line_count; i++)
        if (life->stocks[i] == stock)
            return true;
    return false;
}

static void restock(struct demo_life *life, struct stock *stock, int64_t quantity)
{
    struct movement movement;
    if (stock->total - stock->held >= quantity)
        return;
    struct status st = stock_change(stock, STOCK_INCREASE, RESTOCK, &movement);
    assert(!failed(st));
    movement.note = "restocked";
    demo_movement(life->demo, &movement, life->at_us);
}

// Some options sell much better than others.
static void add_line(struct demo_life *life)
{
    struct demo *demo = life->demo;
    int64_t last = (int64_t)demo->option_count - 1, place = demo_random(demo, 0, last);
    struct stock *stock = &demo->options[place * demo_random(demo, 0, last) / (last ? last : 1)];
    int64_t quantity = demo_random(demo, 1, QUANTITY_MAX);
    if (has_line(life, stock))
        return;
    restock(life, stock, quantity);
    life->stocks[life->order.line_count] = stock;
    life->order.lines[life->order.line_count++] = (struct order_line){
        .option_id = stock->option_id,
        .product_id = stock->product_id,
        .price_won = stock->price_won,
        .quantity = quantity,
        .product_name = stock->product_name,
        .option_name = stock->option_name,
    };
}

static struct campaign *campaign_at(struct demo *demo, int64_t at_us)
{
    size_t index = 0;
    while (index + 1 < demo->campaign_count && demo->campaigns[index + 1].starts_at_us <= at_us)
        index++;
    return &demo->campaigns[index];
}

static struct coupon_wish coupon_wish_of(const struct demo_life *life)
{
    return (struct coupon_wish){
        .user_id = life->order.user_id,
        .order_id = life->order.id,
        .amount_won = life->order.total_won,
    };
}

// Claims a coupon and reserves it, if the order is worth enough.
static void use_coupon(struct demo_life *life)
{
    struct demo *demo = life->demo;
    struct campaign *campaign = campaign_at(demo, life->at_us);
    bool claimed = life->user->claimed_campaign == campaign->id;
    int64_t user_id = life->user->wallet.user_id;
    if (failed(campaign_claim(campaign, user_id, claimed, life->at_us, &life->coupon)))
        return;
    life->user->claimed_campaign = campaign->id;
    life->coupon.id = demo_number(demo, SEQUENCE_COUPON);
    demo_coupon_issued(life);
    struct user_coupon before = life->coupon;
    struct coupon_wish wish = coupon_wish_of(life);
    if (failed(coupon_hold(&life->coupon, &wish, life->at_us, life->order.expires_at_us)))
        return;
    demo_coupon_change(life, &before, life->at_us);
    life->order.user_coupon_id = life->coupon.id;
    life->order.discount_won = life->coupon.discount_won;
}

static void place(struct demo_life *life, const struct demo_fate *fate)
{
    struct demo *demo = life->demo;
    struct order *order = &life->order;
    order->id = time_id(life->at_us, demo_number(demo, SEQUENCE_ORDER));
    order->user_id = life->user->wallet.user_id;
    order->expires_at_us = life->at_us + (fate->checkout ? CHECKOUT_TTL_S : TTL_S) * US_PER_S;
    order->lines = arena_array(life->arena, DEMO_LINES_MAX, sizeof(*order->lines));
    int64_t lines = demo_random(demo, 1, DEMO_LINES_MAX * DEMO_LINES_MAX);
    for (int64_t i = DEMO_LINES_MAX * DEMO_LINES_MAX; i >= lines; i /= 2)
        if (order->line_count < DEMO_LINES_MAX)
            add_line(life);
    struct status st = order_total(order->lines, order->line_count, &order->total_won);
    assert(!failed(st));
    order_begin(order, life->arena, life->at_us);
    if (fate->share && demo_random(demo, 0, 999) < COUPON_PER_MILLE)
        use_coupon(life);
}

// What becomes of stock and coupon

static void change_holds(struct demo_life *life, enum hold_event event)
{
    struct hold_edge edge;
    bool possible = hold_next(life->holds, event, &edge);
    assert(possible);
    for (size_t i = 0; i < life->order.line_count; i++) {
        int64_t delta = edge.total * life->order.lines[i].quantity;
        life->stocks[i]->total += delta;
        if (delta)
            demo_movement(life->demo,
                          &(struct movement){life->stocks[i]->option_id, delta,
                                             delta < 0 ? MOVEMENT_ORDER : MOVEMENT_RETURN,
                                             life->order.id, ""},
                          life->at_us);
    }
    life->holds = edge.to;
}

static void restore_coupon(struct demo_life *life)
{
    struct user_coupon before = life->coupon;
    coupon_restore(&life->coupon, life->order.id);
    demo_coupon_change(life, &before, life->at_us);
}

static void redeem_coupon(struct demo_life *life)
{
    struct user_coupon before = life->coupon;
    struct coupon_wish wish = coupon_wish_of(life);
    if (!coupon_belongs_to(&life->coupon, life->order.id))
        return;
    struct status st = coupon_redeem(&life->coupon, &wish, life->at_us);
    assert(!failed(st));
    demo_coupon_change(life, &before, life->at_us);
}

// Paying

static void happen(struct demo_life *life, enum order_event event, const char *reason)
{
    bool drawn = order_apply(&life->order, life->arena, event, reason, life->at_us);
    assert(drawn);
}

static struct payment *begin_payment(struct demo_life *life)
{
    struct order *order = &life->order;
    struct payment *payments =
        arena_array(life->arena, order->payment_count + 1, sizeof(*payments));
    for (size_t i = 0; i < order->payment_count; i++)
        payments[i] = order->payments[i];
    struct payment *attempt = &payments[order->payment_count++];
    int64_t id = time_id(life->at_us, demo_number(life->demo, SEQUENCE_PAYMENT));
    *attempt = payment_begin(id, order->id, order_final_won(order), life->at_us);
    payment_apply(attempt, life->arena, PAYMENT_PROCESS, NULL, life->at_us);
    order->payments = payments;
    happen(life, ORDER_PAY, NULL);
    return attempt;
}

static ProtobufCMessage *pay_context(const struct demo_life *life, const struct payment *attempt)
{
    const struct order *order = &life->order;
    Baro__Order__PayContext *context = arena_alloc(life->arena, sizeof(*context));
    baro__order__pay_context__init(context);
    context->order_id = order->id;
    context->user_id = order->user_id;
    context->payment_id = attempt->id;
    context->total_amount = order->total_won;
    context->discount_amount = order->discount_won;
    context->final_amount = order_final_won(order);
    context->user_coupon_id = order->user_coupon_id;
    context->checkout = life->checkout;
    return &context->base;
}

static ProtobufCMessage *order_context(const struct demo_life *life)
{
    const struct order *order = &life->order;
    Baro__Order__OrderContext *context = arena_alloc(life->arena, sizeof(*context));
    baro__order__order_context__init(context);
    context->order_id = order->id;
    context->user_id = order->user_id;
    context->user_coupon_id = order->user_coupon_id;
    context->amount = order_final_won(order);
    return &context->base;
}

static void take_money(struct demo_life *life)
{
    int64_t amount_won = order_final_won(&life->order);
    if (amount_won)
        demo_entry(life, ENTRY_USE, -amount_won);
    change_holds(life, HOLD_CONFIRM);
}

static void give_back(struct demo_life *life)
{
    restore_coupon(life);
    life->order.user_coupon_id = life->order.discount_won = 0;
    if (life->order.status != ORDER_PENDING)
        change_holds(life, HOLD_RELEASE);
}

// One attempt, from its beginning to the end that the saga's failure means.
static void attempt_payment(struct demo_life *life, struct demo_saga saga)
{
    struct payment *attempt = begin_payment(life);
    redeem_coupon(life);
    saga.definition = &pay_saga;
    saga.context = pay_context(life, attempt);
    demo_saga(life, &saga);
    if (saga.held && !failed(saga.failure))
        happen(life, ORDER_GO_SILENT, reason_word(REASON_OUTCOME_UNKNOWN));
    struct pay_end end = pay_saga_end(life->order.status, life->checkout, saga.failure);
    for (size_t i = 0; i < end.step_count; i++)
        happen(life, end.steps[i].event, end.steps[i].reason);
    payment_apply(attempt, life->arena, end.payment, end.payment_reason, life->at_us);
    if (failed(saga.failure))
        give_back(life);
    else
        take_money(life);
}

static int64_t missing_won(const struct demo_life *life)
{
    return order_final_won(&life->order) - life->user->wallet.balance_won;
}

// Charges are limited (SPEC 3), so it may take several.
static void top_up(struct demo_life *life)
{
    for (int64_t missing = missing_won(life); missing > 0; missing = missing_won(life)) {
        int64_t units = (missing + TOP_UP_UNIT_WON - 1) / TOP_UP_UNIT_WON;
        int64_t amount = units * TOP_UP_UNIT_WON;
        demo_entry(life, ENTRY_CHARGE, amount < CHARGE_MAX_WON ? amount : CHARGE_MAX_WON);
    }
}

static void pay(struct demo_life *life)
{
    top_up(life);
    attempt_payment(life, (struct demo_saga){.failure = OK});
}

// Nothing happens when there is money after all.
static void pay_short(struct demo_life *life)
{
    struct status failure = refuse(REASON_INSUFFICIENT_BALANCE, "the balance is too low");
    if (missing_won(life) > 0)
        attempt_payment(life, (struct demo_saga){.stopped_at = "debit_wallet",
                                                 .outcome = SAGA_REFUSED,
                                                 .failure = failure});
}

static void check_out_short(struct demo_life *life)
{
    if (missing_won(life) > 0)
        pay_short(life);
    else
        pay(life);
}

static void pay_late(struct demo_life *life)
{
    top_up(life);
    attempt_payment(life, (struct demo_saga){.held = true, .failure = OK});
}

static void give_up(struct demo_life *life)
{
    attempt_payment(
        life, (struct demo_saga){.stopped_at = "debit_wallet",
                                 .outcome = SAGA_UNKNOWN,
                                 .held = true,
                                 .failure = refuse(REASON_SYSTEM_FAILURE, "a service was silent")});
}

static void park_payment(struct demo_life *life)
{
    struct payment *attempt = begin_payment(life);
    demo_saga(life, &(struct demo_saga){.definition = &pay_saga,
                                        .context = pay_context(life, attempt),
                                        .stopped_at = "debit_wallet",
                                        .outcome = SAGA_UNKNOWN,
                                        .held = true,
                                        .parked = true,
                                        .failure = OK});
    happen(life, ORDER_GO_SILENT, reason_word(REASON_OUTCOME_UNKNOWN));
}

// What is not paid, or not kept

static void release(struct demo_life *life)
{
    demo_saga(life, &(struct demo_saga){.definition = &release_saga,
                                        .context = order_context(life),
                                        .failure = OK});
    change_holds(life, HOLD_RELEASE);
    restore_coupon(life);
}

static void cancel(struct demo_life *life)
{
    happen(life, ORDER_CANCEL, NULL);
    release(life);
}

static void expire(struct demo_life *life)
{
    happen(life, ORDER_EXPIRE, reason_word(REASON_ORDER_EXPIRED));
    release(life);
}

static void refund(struct demo_life *life)
{
    int64_t amount_won = order_final_won(&life->order);
    happen(life, ORDER_CANCEL, NULL);
    demo_saga(life, &(struct demo_saga){
                        .definition = &refund_saga, .context = order_context(life), .failure = OK});
    if (amount_won)
        demo_entry(life, ENTRY_REFUND, amount_won);
    restore_coupon(life);
    change_holds(life, HOLD_RETURN);
    happen(life, ORDER_REFUND, NULL);
    for (size_t i = 0; i < life->order.payment_count; i++)
        payment_apply(&life->order.payments[i], life->arena, PAYMENT_REFUND, NULL, life->at_us);
}

static void park_refund(struct demo_life *life)
{
    happen(life, ORDER_CANCEL, NULL);
    demo_saga(life, &(struct demo_saga){.definition = &refund_saga,
                                        .context = order_context(life),
                                        .stopped_at = "refund_wallet",
                                        .outcome = SAGA_UNKNOWN,
                                        .parked = true,
                                        .failure = OK});
}

static void prepare(struct demo_life *life)
{
    happen(life, ORDER_PREPARE, NULL);
}

static void ship(struct demo_life *life)
{
    happen(life, ORDER_SHIP, NULL);
}

static void deliver(struct demo_life *life)
{
    happen(life, ORDER_DELIVER, NULL);
}

// A life

// What the present sees: stock that is still held, a coupon whose time was over.
static void settle(struct demo_life *life)
{
    struct user_coupon before = life->coupon;
    for (size_t i = 0; life->holds == HOLD_HELD && i < life->order.line_count; i++)
        life->stocks[i]->held += life->order.lines[i].quantity;
    if (!life->coupon.id || life->coupon.expires_at_us > life->demo->now_us)
        return;
    coupon_next(life->coupon.status, COUPON_EXPIRE, &life->coupon.status);
    demo_coupon_change(life, &before, life->coupon.expires_at_us);
}

void demo_live(struct demo *demo, struct arena *arena, const struct demo_fate *fate,
               int64_t placed_us)
{
    struct demo_life life = {.demo = demo, .arena = arena, .at_us = placed_us, .holds = HOLD_HELD};
    life.user = find_user(demo, placed_us, &fate);
    life.checkout = fate->checkout;
    place(&life, fate);
    for (size_t i = 0; i < STEPS_MAX && fate->steps[i].happen; i++) {
        life.at_us += demo_random(demo, fate->steps[i].low_s, fate->steps[i].high_s) * US_PER_S;
        if (life.at_us > demo->now_us)
            break;
        fate->steps[i].happen(&life);
    }
    settle(&life);
    demo_order_rows(&life);
}
