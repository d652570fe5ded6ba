// What no journey passes: names that are stored, wishes without lines, windows with one end.

#include "lib/base/macros.h"
#include "services/product/catalogue.h"
#include "services/product/popularity.h"
#include "services/product/stock.h"

#include <criterion/criterion.h>
#include <string.h>

Test(corners, every_status_is_read_back_from_its_name)
{
    for (int i = 0; i < HOLD_STATUS_COUNT; i++)
        cr_expect_eq(hold_status_parse(hold_status_name((enum hold_status)i)), (enum hold_status)i);
    for (int i = 0; i < HOLD_EVENT_COUNT; i++)
        cr_expect_str_neq(hold_event_name((enum hold_event)i), "");
    cr_expect_str_eq(movement_kind_name(MOVEMENT_INITIAL), "INITIAL");
    cr_expect_str_eq(movement_kind_name(MOVEMENT_RETURN), "RETURN");
}

Test(corners, a_book_may_be_empty)
{
    SCOPED(arena) *arena = arena_create();
    struct book book;
    book_init(&book, arena, NULL, 0, NULL, 0, NULL, 0, 0);
    cr_expect_null(book_stock(&book, 1));
    cr_expect_null(book_order(&book, 1));
}

Test(corners, a_wish_has_a_line_and_at_most_thirty)
{
    struct hold_line lines[31];
    for (int i = 0; i < 31; i++)
        lines[i] = (struct hold_line){.option_id = i + 1, .quantity = 1};
    cr_expect(failed(hold_check(&(struct hold_wish){1, 1000, lines, 0})));
    cr_expect(failed(hold_check(&(struct hold_wish){1, 1000, lines, 31})));
    cr_expect_not(failed(hold_check(&(struct hold_wish){1, 1000, lines, 30})));
}

// Options 1 to 3 of products of their own.
static void open_book(struct book *book, struct arena *arena, const int64_t *order)
{
    struct stock *stocks = arena_array(arena, 3, sizeof *stocks);
    for (int i = 0; i < 3; i++)
        stocks[i] =
            (struct stock){.option_id = i + 1, .product_id = i + 1, .total = 20, .orderable = true};
    book_init(book, arena, order, 1, stocks, 3, NULL, 0, 10);
}

Test(corners, the_same_wish_in_another_order_is_the_same_wish)
{
    SCOPED(arena) *arena = arena_create();
    const int64_t order = 7;
    const struct {
        struct hold_line lines[3];
        size_t count;
        bool same;
    } rows[] = {
        {{{1, 2}, {2, 3}},         2, true },
        {{{2, 3}, {1, 2}},         2, true },
        {{{1, 2}, {2, 4}},         2, false}, // another quantity
        {{{1, 2}, {3, 3}},         2, false}, // another option
        {{{3, 2}, {2, 3}},         2, false},
        {{{1, 2}},                 1, false},
        {{{1, 2}, {2, 3}, {3, 1}}, 3, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct book book;
        open_book(&book, arena, &order);
        struct hold_wish first = {order, 1000, rows[0].lines, 2};
        struct hold_wish again = {order, 1000, rows[i].lines, rows[i].count};
        cr_assert_not(failed(book_hold(&book, arena, &first, 0)));
        struct status st = book_hold(&book, arena, &again, 0);
        cr_expect_eq(!failed(st), rows[i].same, "row %zu", i);
        cr_expect_eq(book_stock(&book, 1)->held, 2, "row %zu", i);
    }
}

Test(corners, stock_is_set_raised_and_lowered)
{
    static const struct {
        enum stock_operation operation;
        int64_t quantity, total;
    } rows[] = {
        {STOCK_SET,      3, 3 },
        {STOCK_INCREASE, 3, 13},
        {STOCK_DECREASE, 3, 7 }
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stock stock = {.option_id = 1, .total = 10};
        struct movement movement;
        cr_assert_not(failed(stock_change(&stock, rows[i].operation, rows[i].quantity, &movement)));
        cr_expect_eq(stock.total, rows[i].total);
        cr_expect_eq(movement.delta, rows[i].total - 10);
    }
}

Test(corners, no_text_of_the_catalogue_holds_control_characters)
{
    SCOPED(arena) *arena = arena_create();
    static const char *const bad[] = {"a\x7F", "a\x01", "a\tb"};
    char long_name[102];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[101] = '\0';
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct product product = {.name = "a", .description = "", .category = bad[i]};
        struct option option = {.name = bad[i]};
        cr_expect(failed(product_check(&product, arena)), "category %zu", i);
        cr_expect(failed(option_check(&option, arena)), "option %zu", i);
        product = (struct product){.name = bad[i], .description = "", .category = ""};
        cr_expect(failed(product_check(&product, arena)), "name %zu", i);
    }
    static const char *const names[] = {"", "a"};
    for (size_t i = 0; i < COUNT(names); i++)
        cr_expect_eq(failed(option_check(&(struct option){.name = names[i]}, arena)), i == 0);
    cr_expect(failed(option_check(&(struct option){.name = long_name}, arena)));
}

Test(corners, a_snapshot_has_no_window_at_either_end_and_an_empty_one_is_none)
{
    struct popular_query query;
    const struct popular_wish wishes[] = {
        {.snapshot = "2026-11-21", .has_from = true, .from_us = 1},
        {.snapshot = "2026-11-21", .has_to = true, .to_us = 1},
        {.snapshot = "2026-11-21", .has_days = true, .days = 1},
        {.has_to = true, .to_us = INT64_MAX},
        {.has_from = true, .from_us = INT64_MAX},
    };
    for (size_t i = 0; i < COUNT(wishes); i++)
        cr_expect(failed(popular_query_of(&wishes[i], 1, &query)), "wish %zu", i);
    cr_assert_not(failed(popular_query_of(&(struct popular_wish){.snapshot = ""}, 1, &query)));
    cr_expect_not(query.of_snapshot);
}
