// Events in any order, one a byte, to an order with its payment, to a coupon, and to the stock of two orders:
// whatever comes, the laws of SPEC 8 hold after each of them, and what is final stays.

#include "services/coupon/coupon.h"
#include "services/order/order.h"
#include "services/order/payment.h"
#include "services/product/stock.h"
#include "tests/fuzz/fuzz.h"

enum { ORDERS = 2, OPTIONS = 2, STOCK = 7, EVENTS_MAX = 64 };

static void drive_order(struct input *input, struct arena *arena)
{
    struct order order = {.id = 1, .user_id = 1};
    struct payment payment = payment_begin(1, 1, 100, 1);
    order_begin(&order, arena, 1);
    for (int i = 0; i < EVENTS_MAX && !input_is_empty(input); i++) {
        enum order_status before = order.status;
        enum payment_status paid = payment.status;
        bool was_final = order_is_final(before);
        bool moved = order_apply(&order, arena,
                                 (enum order_event)input_below(input, ORDER_EVENT_COUNT), "why", i);
        assert(moved ? !was_final : order.status == before);
        assert(order.version == (int64_t)order.change_count);
        moved = payment_apply(&payment, arena,
                              (enum payment_event)input_below(input, PAYMENT_EVENT_COUNT), "", i);
        assert(moved || payment.status == paid);
        assert(payment.status != PAYMENT_REFUNDED || payment.completed_at_us >= 0);
        assert(order.status != ORDER_REFUNDED || order.paid_at_us >= 0);
    }
}

static void drive_coupon(struct input *input, struct arena *arena)
{
    (void)arena;
    struct campaign campaign = {.type = COUPON_FIXED, .value = 50000, .total_quantity = 1};
    struct user_coupon coupon = {
        .user_id = 1, .status = COUPON_AVAILABLE, .expires_at_us = 40, .campaign = &campaign};
    bool cancelled = false;
    for (int i = 0; i < EVENTS_MAX && !input_is_empty(input); i++) {
        struct coupon_wish wish = {.user_id = 1 + input_byte(input) % 8 / 7,
                                   .order_id = 1 + (int64_t)input_below(input, ORDERS),
                                   .amount_won = input_byte(input)};
        switch ((enum coupon_event)input_below(input, COUPON_EVENT_COUNT)) {
        case COUPON_HOLD:
            (void)failed(coupon_hold(&coupon, &wish, i, i + 10));
            break;
        case COUPON_REDEEM:
            (void)failed(coupon_redeem(&coupon, &wish, i));
            break;
        case COUPON_RESTORE:
            coupon_restore(&coupon, wish.order_id);
            break;
        case COUPON_CANCEL:
            cancelled = !failed(coupon_cancel(&coupon)) || cancelled;
            break;
        case COUPON_EXPIRE:
        case COUPON_EVENT_COUNT:
            break;
        }
        bool taken = coupon.status == COUPON_HELD || coupon.status == COUPON_USED;
        assert(!taken || (coupon.order_id > 0 && coupon.discount_won <= UINT8_MAX));
        assert(coupon.status != COUPON_AVAILABLE || coupon.order_id == 0);
        assert(!cancelled || coupon.status == COUPON_CANCELLED);
    }
}

static void check_stock(const struct book *book)
{
    int64_t held[OPTIONS] = {0}, total[OPTIONS] = {STOCK, STOCK};
    for (size_t i = 0; i < book->hold_count; i++)
        if (book->holds[i].status == HOLD_HELD)
            held[book->holds[i].option_id - 1] += book->holds[i].quantity;
    for (size_t i = 0; i < book->movement_count; i++)
        total[book->movements[i].option_id - 1] += book->movements[i].delta;
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct stock *stock = &book->stocks[i];
        assert(stock->held == held[i] && stock->total == total[i]);
        assert(stock->total >= stock->held && stock->held >= 0);
    }
}

// A book has room for one change of each hold, as a batch makes it: a new one for each event.
static void drive_stock(struct input *input, struct arena *arena)
{
    static const int64_t ids[ORDERS] = {1, 2};
    struct stock stocks[OPTIONS] = {
        {1, 1, 100, STOCK, 0, true, "", "", false},
        {2, 2, 100, STOCK, 0, true, "", "", false}
    };
    struct movement moved[2 * ORDERS * OPTIONS + 1];
    struct book book;
    book_init(&book, arena, ids, ORDERS, stocks, OPTIONS, NULL, 0, (size_t)ORDERS * OPTIONS);
    book.movements = moved; // each unit leaves once and comes back once
    for (int i = 0; i < EVENTS_MAX && !input_is_empty(input); i++) {
        struct hold_line lines[OPTIONS] = {
            {1, 1 + input_byte(input) % 9},
            {2, 1 + input_byte(input) % 9}
        };
        struct hold_wish wish = {ids[input_below(input, ORDERS)], 1000, lines, OPTIONS};
        size_t event = input_below(input, HOLD_EVENT_COUNT + 2);
        if (event >= HOLD_EVENT_COUNT)
            (void)failed(book_hold(&book, arena, &wish, i));
        else
            (void)failed(book_change(&book, wish.order_id, (enum hold_event)event));
        check_stock(&book);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const drives[])(struct input *, struct arena *) = {drive_order, drive_coupon,
                                                                     drive_stock};
    struct input input = input_of(data, size);
    drives[input_below(&input, sizeof(drives) / sizeof(drives[0]))](&input, input_arena());
    return 0;
}
