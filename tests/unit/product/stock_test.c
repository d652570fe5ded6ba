// The rules of stock and holds: every edge, every limit, all lines or none.

#include "lib/base/macros.h"
#include "services/product/stock.h"

#include <criterion/criterion.h>

#define NOW_US INT64_C(1700000000000000)

enum { TTL_MS = 600000 };

// A book of three options: 1 and 2 of product 10, 3 of product 30, and option 4, not for sale.
static void open_book(struct book *book, struct arena *arena, const int64_t *orders,
                      size_t order_count, const struct hold *holds, size_t hold_count)
{
    static const struct stock stocks[] = {
        {.option_id = 1, .product_id = 10, .price_won = 1000, .total = 100, .orderable = true},
        {.option_id = 2, .product_id = 10, .price_won = 2000, .total = 100, .orderable = true},
        {.option_id = 3, .product_id = 30, .price_won = 3000, .total = 5, .orderable = true},
        {.option_id = 4, .product_id = 40, .price_won = 4000, .total = 5},
    };
    struct stock *copy = arena_copy(arena, stocks, sizeof stocks);
    for (size_t i = 0; i < hold_count; i++)
        if (holds[i].status == HOLD_HELD)
            copy[holds[i].option_id - 1].held += holds[i].quantity;
    book_init(book, arena, orders, order_count, copy, COUNT(stocks), holds, hold_count, 100);
}

static struct hold_wish wish_of(int64_t order_id, const struct hold_line *lines, size_t count)
{
    return (struct hold_wish){order_id, TTL_MS, lines, count};
}

static const struct {
    enum hold_status from;
    enum hold_event event;
    enum hold_status to;
    int held, total;
} DRAWN[] = {
    {HOLD_HELD,      HOLD_CONFIRM, HOLD_CONFIRMED, -1, -1},
    {HOLD_CONFIRMED, HOLD_CONFIRM, HOLD_CONFIRMED, 0,  0 },
    {HOLD_HELD,      HOLD_RELEASE, HOLD_RELEASED,  -1, 0 },
    {HOLD_CONFIRMED, HOLD_RELEASE, HOLD_RETURNED,  0,  1 },
    {HOLD_RELEASED,  HOLD_RELEASE, HOLD_RELEASED,  0,  0 },
    {HOLD_RETURNED,  HOLD_RELEASE, HOLD_RETURNED,  0,  0 },
    {HOLD_CONFIRMED, HOLD_RETURN,  HOLD_RETURNED,  0,  1 },
    {HOLD_RETURNED,  HOLD_RETURN,  HOLD_RETURNED,  0,  0 },
    {HOLD_HELD,      HOLD_EXPIRE,  HOLD_RELEASED,  -1, 0 },
    {HOLD_CONFIRMED, HOLD_EXPIRE,  HOLD_CONFIRMED, 0,  0 },
    {HOLD_RELEASED,  HOLD_EXPIRE,  HOLD_RELEASED,  0,  0 },
    {HOLD_RETURNED,  HOLD_EXPIRE,  HOLD_RETURNED,  0,  0 },
};

// Walks every pair of status and event through the book: the drawn edges with their effect on the
// stock, all others refused with nothing changed.
Test(hold, takes_the_drawn_edges_and_no_other)
{
    static const enum reason refusals[HOLD_EVENT_COUNT] = {
        [HOLD_CONFIRM] = REASON_HOLD_LOST,
        [HOLD_RELEASE] = REASON_ILLEGAL_TRANSITION,
        [HOLD_RETURN] = REASON_ILLEGAL_TRANSITION,
        [HOLD_EXPIRE] = REASON_ILLEGAL_TRANSITION,
    };
    size_t taken = 0;
    for (int from = 0; from < HOLD_STATUS_COUNT; from++)
        for (int event = 0; event < HOLD_EVENT_COUNT; event++) {
            SCOPED(arena) *arena = arena_create();
            struct hold hold = {.order_id = 7, .option_id = 1, .quantity = 4, .stored = true};
            hold.status = (enum hold_status)from;
            struct book book;
            open_book(&book, arena, &hold.order_id, 1, &hold, 1);
            struct stock before = *book_stock(&book, 1);
            struct status st = book_change(&book, 7, (enum hold_event)event);
            struct stock after = *book_stock(&book, 1);
            size_t i = 0;
            while (i < COUNT(DRAWN) && ((int)DRAWN[i].from != from || (int)DRAWN[i].event != event))
                i++;
            const char *what = hold_event_name((enum hold_event)event);
            if (i == COUNT(DRAWN)) {
                cr_expect_eq(st.reason, refusals[event], "%s %s",
                             hold_status_name((enum hold_status)from), what);
                cr_expect(!after.changed && !book.holds[0].changed);
                continue;
            }
            taken++;
            cr_expect(!failed(st), "%s %s", hold_status_name((enum hold_status)from), what);
            cr_expect_eq(book.holds[0].status, DRAWN[i].to);
            cr_expect_eq(after.held - before.held, 4 * DRAWN[i].held);
            cr_expect_eq(after.total - before.total, 4 * DRAWN[i].total);
            cr_expect_eq(book.movement_count, DRAWN[i].total != 0);
        }
    cr_expect_eq(taken, COUNT(DRAWN));
}

Test(hold, writes_a_movement_of_the_kind_for_each_change_of_a_total)
{
    SCOPED(arena) *arena = arena_create();
    struct hold hold = {.order_id = 7, .option_id = 1, .quantity = 4, .stored = true};
    struct book book;
    open_book(&book, arena, &hold.order_id, 1, &hold, 1);
    cr_assert(!failed(book_change(&book, 7, HOLD_CONFIRM)));
    cr_expect_eq(book.movements[0].kind, MOVEMENT_ORDER);
    cr_expect_eq(book.movements[0].delta, -4);
    cr_expect_eq(book.movements[0].order_id, 7);

    hold.status = HOLD_CONFIRMED;
    open_book(&book, arena, &hold.order_id, 1, &hold, 1);
    cr_assert(!failed(book_change(&book, 7, HOLD_RETURN)));
    cr_expect_eq(book.movements[0].kind, MOVEMENT_RETURN);
    cr_expect_eq(book.movements[0].delta, 4);
}

Test(hold, of_an_unknown_order_is_lost_to_confirm_and_nothing_to_release)
{
    SCOPED(arena) *arena = arena_create();
    int64_t order = 7;
    struct book book;
    open_book(&book, arena, &order, 1, NULL, 0);
    cr_expect_eq(book_change(&book, 7, HOLD_CONFIRM).reason, REASON_HOLD_LOST);
    cr_expect_eq(book_change(&book, 7, HOLD_RETURN).reason, REASON_ILLEGAL_TRANSITION);
    cr_expect(!failed(book_change(&book, 7, HOLD_RELEASE)));
    cr_expect(!failed(book_change(&book, 7, HOLD_EXPIRE)));
}

Test(hold, changes_all_lines_of_an_order_or_none)
{
    SCOPED(arena) *arena = arena_create();
    struct hold holds[] = {
        {.order_id = 7, .option_id = 1, .quantity = 1, .stored = true},
        {.order_id = 7, .option_id = 2, .quantity = 1, .status = HOLD_RELEASED, .stored = true},
    };
    int64_t order = 7;
    struct book book;
    open_book(&book, arena, &order, 1, holds, COUNT(holds));
    cr_expect_eq(book_change(&book, 7, HOLD_CONFIRM).reason, REASON_HOLD_LOST);
    cr_expect_eq(book.holds[0].status, HOLD_HELD);
    cr_expect_eq(book_stock(&book, 1)->held, 1);
}

Test(hold, whose_option_is_not_locked_asks_for_another_run)
{
    SCOPED(arena) *arena = arena_create();
    struct hold hold = {.order_id = 7, .option_id = 99, .quantity = 1, .stored = true};
    struct book book;
    book_init(&book, arena, &hold.order_id, 1, NULL, 0, &hold, 1, 0);
    struct status st = book_change(&book, 7, HOLD_RELEASE);
    cr_expect_eq(st.code, STATUS_ABORTED);
    cr_expect_eq(book.holds[0].status, HOLD_HELD);
}

Test(stock, is_held_for_all_lines_of_a_wish)
{
    SCOPED(arena) *arena = arena_create();
    const struct hold_line lines[] = {
        {3, 2},
        {1, 5},
    };
    int64_t order = 7;
    struct book book;
    open_book(&book, arena, &order, 1, NULL, 0);
    struct hold_wish wish = wish_of(7, lines, COUNT(lines));
    cr_assert(!failed(book_hold(&book, arena, &wish, NOW_US)));
    cr_expect_eq(book_stock(&book, 3)->held, 2);
    cr_expect_eq(book_stock(&book, 1)->held, 5);
    cr_expect_eq(book.hold_count, 2);
    cr_expect_eq(book.holds[0].expires_at_us, NOW_US + INT64_C(600000000));
}

Test(stock, is_held_once_for_one_order)
{
    SCOPED(arena) *arena = arena_create();
    const struct hold_line lines[] = {
        {1, 5},
        {3, 2},
    };
    const struct hold_line reversed[] = {
        {3, 2},
        {1, 5},
    };
    const struct hold_line others[] = {
        {1, 5},
        {3, 1},
    };
    int64_t orders[] = {7, 7, 7};
    struct book book;
    open_book(&book, arena, orders, COUNT(orders), NULL, 0);
    struct hold_wish wish = wish_of(7, lines, 2), same = wish_of(7, reversed, 2),
                     other = wish_of(7, others, 2), shorter = wish_of(7, lines, 1);
    cr_assert(!failed(book_hold(&book, arena, &wish, NOW_US)));
    cr_expect(!failed(book_hold(&book, arena, &same, NOW_US + 1)));
    cr_expect_eq(book_hold(&book, arena, &other, NOW_US).reason, REASON_ILLEGAL_TRANSITION);
    cr_expect_eq(book_hold(&book, arena, &shorter, NOW_US).reason, REASON_ILLEGAL_TRANSITION);
    cr_expect_eq(book.hold_count, 2);
    cr_expect_eq(book_stock(&book, 1)->held, 5);
}

Test(stock, is_not_held_again_after_the_hold_has_ended)
{
    static const enum hold_status ended[] = {HOLD_CONFIRMED, HOLD_RELEASED, HOLD_RETURNED};
    for (size_t i = 0; i < COUNT(ended); i++) {
        SCOPED(arena) *arena = arena_create();
        const struct hold_line line = {1, 5};
        struct hold hold = {.order_id = 7, .option_id = 1, .quantity = 5, .stored = true};
        hold.status = ended[i];
        struct book book;
        open_book(&book, arena, &hold.order_id, 1, &hold, 1);
        struct hold_wish wish = wish_of(7, &line, 1);
        cr_expect_eq(book_hold(&book, arena, &wish, NOW_US).reason, REASON_HOLD_LOST);
        cr_expect_eq(book_stock(&book, 1)->held, 0);
    }
}

// Each wish starts with a line that could be held: nothing of it may stay.
Test(stock, is_refused_for_a_reason_and_then_nothing_is_held)
{
    static const struct {
        struct hold_line line;
        enum reason reason;
    } cases[] = {
        {{3, 6},  REASON_INSUFFICIENT_STOCK   },
        {{4, 1},  REASON_PRODUCT_NOT_ORDERABLE},
        {{99, 1}, REASON_OPTION_NOT_FOUND     },
        {{2, 6},  REASON_VALIDATION_ERROR     }, // 5 + 6 units of product 10
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        SCOPED(arena) *arena = arena_create();
        const struct hold_line lines[] = {
            {1, 5},
            cases[i].line,
        };
        int64_t order = 7;
        struct book book;
        open_book(&book, arena, &order, 1, NULL, 0);
        struct hold_wish wish = wish_of(7, lines, COUNT(lines));
        cr_expect_eq(book_hold(&book, arena, &wish, NOW_US).reason, cases[i].reason, "case %zu", i);
        cr_expect_eq(book.hold_count, 0);
        cr_expect_eq(book_stock(&book, 1)->held, 0);
    }
}

Test(stock, is_held_to_the_last_unit_and_no_further)
{
    SCOPED(arena) *arena = arena_create();
    const struct hold_line line = {3, 2};
    const struct hold_line last = {3, 1};
    int64_t orders[] = {3, 1, 2, 4};
    struct book book;
    open_book(&book, arena, orders, COUNT(orders), NULL, 0);
    struct hold_wish wishes[] = {wish_of(3, &line, 1), wish_of(1, &line, 1), wish_of(2, &line, 1),
                                 wish_of(4, &last, 1)};
    cr_expect(!failed(book_hold(&book, arena, &wishes[0], NOW_US)));
    cr_expect(!failed(book_hold(&book, arena, &wishes[1], NOW_US)));
    cr_expect_eq(book_hold(&book, arena, &wishes[2], NOW_US).reason, REASON_INSUFFICIENT_STOCK);
    cr_expect(!failed(book_hold(&book, arena, &wishes[3], NOW_US)));
    cr_expect_eq(book_stock(&book, 3)->held, 5);
}

Test(wish, is_checked_before_the_catalogue_is_asked)
{
    static const struct hold_line good[] = {
        {1, 10},
        {2, 10},
        {3, 10},
    };
    static const struct hold_line too_many[] = {
        {1, 10},
        {2, 10},
        {3, 10},
        {4, 1 },
    };
    static const struct hold_line none[] = {
        {1, 0},
    };
    static const struct hold_line eleven[] = {
        {1, 11},
    };
    static const struct hold_line twice[] = {
        {1, 1},
        {1, 1},
    };
    static const struct {
        struct hold_wish wish;
        const char *field; // NULL: fine
    } cases[] = {
        {{7, TTL_MS, good, 3},     NULL       },
        {{7, 86400000, good, 1},   NULL       },
        {{0, TTL_MS, good, 3},     "order_id" },
        {{-1, TTL_MS, good, 3},    "order_id" },
        {{7, 0, good, 3},          "ttl_ms"   },
        {{7, 86400001, good, 3},   "ttl_ms"   },
        {{7, TTL_MS, good, 0},     "items"    },
        {{7, TTL_MS, too_many, 4}, "quantity" },
        {{7, TTL_MS, none, 1},     "quantity" },
        {{7, TTL_MS, eleven, 1},   "quantity" },
        {{7, TTL_MS, twice, 2},    "option_id"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct status st = hold_check(&cases[i].wish);
        cr_expect_eq(failed(st), cases[i].field != NULL, "case %zu", i);
        if (cases[i].field && failed(st))
            cr_expect_str_eq(st.field, cases[i].field, "case %zu", i);
    }
}

// The option has 10, of which 4 are held.
Test(stock, is_changed_by_hand_but_never_below_what_is_held)
{
    static const struct {
        enum stock_operation operation;
        int64_t quantity;
        enum reason reason;
        int64_t total, delta;
    } cases[] = {
        {STOCK_INCREASE, 1,              REASON_NONE,               11,        1             },
        {STOCK_INCREASE, STOCK_MAX - 10, REASON_NONE,               STOCK_MAX, STOCK_MAX - 10},
        {STOCK_INCREASE, STOCK_MAX - 9,  REASON_VALIDATION_ERROR,   10,        0             },
        {STOCK_INCREASE, 0,              REASON_VALIDATION_ERROR,   10,        0             },
        {STOCK_INCREASE, -1,             REASON_VALIDATION_ERROR,   10,        0             },
        {STOCK_INCREASE, INT64_MAX,      REASON_VALIDATION_ERROR,   10,        0             },
        {STOCK_DECREASE, 6,              REASON_NONE,               4,         -6            },
        {STOCK_DECREASE, 7,              REASON_INSUFFICIENT_STOCK, 10,        0             },
        {STOCK_DECREASE, 0,              REASON_VALIDATION_ERROR,   10,        0             },
        {STOCK_SET,      4,              REASON_NONE,               4,         -6            },
        {STOCK_SET,      3,              REASON_INSUFFICIENT_STOCK, 10,        0             },
        {STOCK_SET,      0,              REASON_INSUFFICIENT_STOCK, 10,        0             },
        {STOCK_SET,      10,             REASON_NONE,               10,        0             },
        {STOCK_SET,      -1,             REASON_VALIDATION_ERROR,   10,        0             },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stock stock = {.option_id = 1, .total = 10, .held = 4};
        struct movement movement = {.delta = 0};
        struct status st = stock_change(&stock, cases[i].operation, cases[i].quantity, &movement);
        cr_expect_eq(st.reason, cases[i].reason, "case %zu", i);
        cr_expect_eq(stock.total, cases[i].total, "case %zu", i);
        cr_expect_eq(movement.delta, cases[i].delta, "case %zu", i);
        cr_expect_eq(stock.changed, cases[i].delta != 0, "case %zu", i);
    }
}

Test(stock, operations_are_three_words)
{
    enum stock_operation operation;
    cr_expect(stock_operation_parse("set", &operation) && operation == STOCK_SET);
    cr_expect(stock_operation_parse("increase", &operation) && operation == STOCK_INCREASE);
    cr_expect(stock_operation_parse("decrease", &operation) && operation == STOCK_DECREASE);
    cr_expect(!stock_operation_parse("", &operation));
    cr_expect(!stock_operation_parse("SET", &operation));
}
