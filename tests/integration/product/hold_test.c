// Holds on a real database: crowds, opposite orders, repeats, saga steps. depot_close() asserts law 2
// after each.

#include "lib/base/macros.h"
#include "tests/integration/product/depot.h"
#include "tests/support/database.h"
#include "tests/support/replicas.h"
#include "tests/support/saga_ids.h"

#include <criterion/criterion.h>

enum { CROWD = 1000 };

// How many of the calls were answered with this reason.
static size_t await_all(struct asked **asked, size_t count, enum reason reason)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += rig_await(asked[i])->reason == reason;
    return found;
}

Test(hold, a_thousand_buyers_of_one_option_get_exactly_what_is_there)
{
    static const size_t workers[] = {1, 2};
    for (size_t w = 0; w < COUNT(workers); w++) {
        struct depot *depot = depot_open((struct rig_size){workers[w], 0});
        struct line line = {given_stock(depot, 600), 1};
        struct asked *asked[CROWD];
        for (int64_t i = 0; i < CROWD; i++)
            asked[i] = start_hold(depot, 1000 + i, &line, 1);
        cr_expect_eq(await_all(asked, CROWD, REASON_NONE), 600);
        size_t refused = 0;
        for (size_t i = 0; i < CROWD; i++)
            refused += asked[i]->reason == REASON_INSUFFICIENT_STOCK;
        cr_expect_eq(refused, 400);
        cr_expect_eq(held_of(depot, line.option_id), 600);
        cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM hold"), 600);
        depot_close(depot);
    }
}

Test(hold, orders_over_the_same_options_in_opposite_order_do_not_deadlock)
{
    enum { ORDERS = 400, OPTIONS = 4 };
    struct depot *depot = depot_open((struct rig_size){2, 8});
    int64_t stocks[OPTIONS] = {5000, 5000, 5000, 5000}, options[OPTIONS];
    struct line up[OPTIONS], down[OPTIONS];
    struct asked *asked[ORDERS];
    given_product(depot, stocks, OPTIONS, options);
    for (size_t i = 0; i < OPTIONS; i++) {
        up[i] = (struct line){options[i], 1};
        down[i] = (struct line){options[OPTIONS - 1 - i], 1};
    }
    for (int64_t i = 0; i < ORDERS; i++)
        asked[i] = start_hold(depot, 1000 + i, i % 2 ? up : down, OPTIONS);
    cr_expect_eq(await_all(asked, ORDERS, REASON_NONE), ORDERS);
    cr_expect_eq(held_of(depot, options[0]), ORDERS);
    cr_expect_eq(rig_number(depot->rig, "SELECT deadlocks FROM pg_stat_database"
                                        " WHERE datname = current_database()"),
                 0);
    depot_close(depot);
}

Test(hold, answers_the_lines_in_the_order_of_the_request)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t stocks[] = {5, 6}, options[2];
    int64_t product = given_product(depot, stocks, 2, options);
    struct line lines[] = {
        {options[1], 2},
        {options[0], 1},
    };
    const struct asked *asked = rig_await(start_hold(depot, 1, lines, 2));
    reply_of(asked);
    const Baro__Product__HoldStockReply *reply = (const void *)asked->reply;
    cr_assert_eq(reply->n_lines, 2);
    cr_expect_eq(reply->lines[0]->option_id, options[1]);
    cr_expect_eq(reply->lines[0]->available, 4);
    cr_expect_eq(reply->lines[1]->option_id, options[0]);
    cr_expect_eq(reply->lines[1]->product_id, product);
    cr_expect_eq(reply->lines[1]->price, 1000);
    cr_expect_str_eq(reply->lines[1]->product_name, "티셔츠");
    cr_expect_str_eq(reply->lines[1]->option_name, "빨강-0");
    cr_assert_not_null(reply->expires_at);
    depot_close(depot);
}

Test(hold, the_same_order_again_changes_nothing_and_gets_the_same_answer)
{
    struct depot *depot = depot_open((struct rig_size){2, 0});
    struct line line = {given_stock(depot, 10), 3};
    struct asked *asked[20];
    for (size_t i = 0; i < COUNT(asked); i++)
        asked[i] = start_hold(depot, 1, &line, 1);
    cr_expect_eq(await_all(asked, COUNT(asked), REASON_NONE), COUNT(asked));
    const Baro__Product__HoldStockReply *first = (const void *)asked[0]->reply;
    for (size_t i = 1; i < COUNT(asked); i++) {
        const Baro__Product__HoldStockReply *reply = (const void *)asked[i]->reply;
        cr_expect_eq(reply->expires_at->us, first->expires_at->us);
        cr_expect_eq(reply->lines[0]->option_id, line.option_id);
    }
    cr_expect_eq(held_of(depot, line.option_id), 3);
    expect_refused(hold(depot, 1, line.option_id, 4), REASON_ILLEGAL_TRANSITION);
    depot_close(depot);
}

Test(hold, is_all_or_nothing_for_each_order_of_a_batch)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t stocks[] = {100, 1}, options[2];
    given_product(depot, stocks, 2, options);
    struct line both[] = {
        {options[0], 1},
        {options[1], 1},
    };
    struct asked *asked[10];
    for (int64_t i = 0; i < 10; i++)
        asked[i] = start_hold(depot, 1000 + i, both, 2);
    cr_expect_eq(await_all(asked, 10, REASON_NONE), 1);
    cr_expect_eq(held_of(depot, options[0]), 1);
    cr_expect_eq(held_of(depot, options[1]), 1);
    depot_close(depot);
}

Test(hold, is_refused_for_what_is_unknown_hidden_or_deleted)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    expect_refused(hold(depot, 1, option + 999, 1), REASON_OPTION_NOT_FOUND);
    SCOPED(db) *db = db_create(depot->rig->url, "test");
    test_script(db, "UPDATE product SET is_active = false");
    expect_refused(hold(depot, 1, option, 1), REASON_PRODUCT_NOT_ORDERABLE);
    test_script(db, "UPDATE product SET is_active = true, deleted_at = baro_now()");
    expect_refused(hold(depot, 1, option, 1), REASON_PRODUCT_NOT_ORDERABLE);
    expect_invalid(hold(depot, 1, option, 11), "quantity");
    expect_invalid(hold(depot, 0, option, 1), "order_id");
    depot_close(depot);
}

Test(step, confirm_takes_the_units_out_of_the_stock_once)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    for (int i = 0; i < 3; i++)
        reply_of(step(depot, "ConfirmStock", 1));
    cr_expect_eq(total_of(depot, option), 6);
    cr_expect_eq(held_of(depot, option), 0);
    cr_expect_eq(holds_of(depot, 1, "CONFIRMED"), 1);
    cr_expect_eq(rig_number(depot->rig, "SELECT delta FROM stock_movement WHERE kind = 'ORDER'"),
                 -4);
    expect_refused(hold(depot, 1, option, 4), REASON_HOLD_LOST);
    depot_close(depot);
}

Test(step, release_gives_back_whatever_was_reached_once)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    reply_of(hold(depot, 2, option, 3));
    reply_of(step(depot, "ConfirmStock", 2));
    for (int i = 0; i < 3; i++) {
        reply_of(step(depot, "ReleaseStock", 1));
        reply_of(step(depot, "ReleaseStock", 2));
        reply_of(step(depot, "ReleaseStock", 3)); // of which nothing is known
    }
    cr_expect_eq(total_of(depot, option), 10);
    cr_expect_eq(held_of(depot, option), 0);
    cr_expect_eq(holds_of(depot, 1, "RELEASED"), 1);
    cr_expect_eq(holds_of(depot, 2, "RETURNED"), 1);
    expect_refused(step(depot, "ConfirmStock", 1), REASON_HOLD_LOST);
    expect_refused(step(depot, "ConfirmStock", 3), REASON_HOLD_LOST);
    depot_close(depot);
}

Test(step, return_puts_confirmed_units_back_once_and_nothing_else)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    expect_refused(step(depot, "ReturnStock", 1), REASON_ILLEGAL_TRANSITION);
    reply_of(step(depot, "ConfirmStock", 1));
    for (int i = 0; i < 3; i++)
        reply_of(step(depot, "ReturnStock", 1));
    cr_expect_eq(total_of(depot, option), 10);
    cr_expect_eq(holds_of(depot, 1, "RETURNED"), 1);
    expect_refused(step(depot, "ReturnStock", 2), REASON_ILLEGAL_TRANSITION);
    depot_close(depot);
}

Test(step, a_duplicate_command_gets_the_stored_answer)
{
    struct depot *depot = depot_open((struct rig_size){2, 0});
    int64_t option = given_stock(depot, 10);
    Baro__Product__StockStepRequest request;
    baro__product__stock_step_request__init(&request);
    Baro__SagaStep saga;
    baro__saga_step__init(&saga);
    char name[] = "confirm_stock";
    struct asked *asked[8];
    saga.saga_id = saga_begun(900, 0);
    saga.step = name;
    request.order_id = 1;
    expect_refused(rig_call(depot->rig, "ConfirmStock", as_saga(&saga), &request.base),
                   REASON_HOLD_LOST);
    reply_of(hold(depot, 1, option, 4)); // too late for that saga
    for (size_t i = 0; i < COUNT(asked); i++)
        asked[i] = rig_start(depot->rig, "ConfirmStock", as_saga(&saga), &request.base);
    cr_expect_eq(await_all(asked, COUNT(asked), REASON_HOLD_LOST), COUNT(asked));
    cr_expect_eq(held_of(depot, option), 4);
    depot_close(depot);
}

// Half of the orders are confirmed while the other half is released, over shared options.
Test(step, confirm_and_release_of_many_orders_run_side_by_side)
{
    enum { ORDERS = 200 };
    struct depot *depot = depot_open((struct rig_size){2, 16});
    int64_t stocks[] = {1000, 1000}, options[2];
    struct asked *asked[ORDERS];
    given_product(depot, stocks, 2, options);
    struct line lines[] = {
        {options[1], 1},
        {options[0], 2},
    };
    for (int64_t i = 0; i < ORDERS; i++)
        asked[i] = start_hold(depot, 1 + i, lines, 2);
    cr_assert_eq(await_all(asked, ORDERS, REASON_NONE), ORDERS);
    for (int64_t i = 0; i < ORDERS; i++) {
        Baro__Product__StockStepRequest request;
        baro__product__stock_step_request__init(&request);
        request.order_id = 1 + i;
        asked[i] = rig_start(depot->rig, i % 2 ? "ConfirmStock" : "ReleaseStock", as_service(),
                             &request.base);
    }
    cr_expect_eq(await_all(asked, ORDERS, REASON_NONE), ORDERS);
    cr_expect_eq(total_of(depot, options[0]), 1000 - ORDERS);
    cr_expect_eq(total_of(depot, options[1]), 1000 - ORDERS / 2);
    cr_expect_eq(held_of(depot, options[0]), 0);
    depot_close(depot);
}

Test(hold, that_comes_after_it_was_given_back_holds_nothing)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(rig_await(start_give_back(depot, 1, option)));
    expect_refused(hold(depot, 1, option, 4), REASON_HOLD_LOST);
    reply_of(hold(depot, 2, option, 3));
    reply_of(rig_await(start_give_back(depot, 2, option)));
    expect_refused(hold(depot, 2, option, 3), REASON_HOLD_LOST);
    cr_expect_eq(held_of(depot, option), 0);
    reply_of(rig_await(start_give_back(depot, 1, option)));
    depot_close(depot);
}

Test(hold, that_is_being_made_is_waited_for_by_whoever_gives_it_back)
{
    struct depot *depot = depot_open((struct rig_size){2, 0});
    struct line line = {given_stock(depot, 10), 4};
    struct gate *gate = gate_close(depot->rig->url, "hold", "INSERT");
    struct asked *holding = start_hold(depot, 1, &line, 1);
    gate_await(gate, 1);
    struct asked *giving_back = start_give_back(depot, 1, line.option_id);
    gate_await(gate, 2);
    gate_open(gate);
    reply_of(rig_await(holding));
    reply_of(rig_await(giving_back));
    cr_expect_eq(holds_of(depot, 1, "RELEASED"), 1);
    cr_expect_eq(held_of(depot, line.option_id), 0);
    depot_close(depot);
}

Test(hold, early_give_backs_are_forgotten_after_a_day)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(rig_await(start_give_back(depot, 1, option)));
    rig_shift_clock(depot->rig, "23 hours");
    depot_run_job(depot, "prune_given_back");
    cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM hold_given_back"), 1);
    rig_shift_clock(depot->rig, "25 hours");
    depot_run_job(depot, "prune_given_back");
    cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM hold_given_back"), 0);
    depot_close(depot);
}
