// The calls that change stock and holds. HoldStock and the saga steps are the hot path: a batch costs
// one lock statement for all its options, and as many statements for a thousand orders as for one
// (DESIGN 4).

#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "proto/product.pb-c.h"
#include "services/product/service.h"
#include "services/product/store.h"
#include "services/product/wire.h"

#include <assert.h>

enum { NOTE_MAX_LENGTH = 200, DESCRIBED_MAX = 1000 };

static struct status check_stock_request(const Baro__Product__ChangeStockRequest *request,
                                         enum stock_operation *operation)
{
    if (!stock_operation_parse(request->operation, operation))
        return invalid("operation", "must be increase, decrease or set");
    if (text_length_utf8(request->note) > NOTE_MAX_LENGTH)
        return invalid("note", "must be at most 200 characters");
    return OK;
}

static struct status change_stock(struct batch *batch, struct call *call)
{
    const Baro__Product__ChangeStockRequest *request = (const void *)call->request;
    enum stock_operation operation = STOCK_SET;
    struct movement movement;
    struct stock *stock;
    struct status st = store_lock_stock(batch->tx, batch->arena, request->option_id, &stock);
    if (failed(st))
        return st;
    struct status refusal = check_stock_request(request, &operation);
    if (!failed(refusal))
        refusal = stock ? stock_change(stock, operation, request->quantity, &movement)
                        : refuse(REASON_OPTION_NOT_FOUND, "there is no such option");
    if (failed(refusal)) {
        call_refuse(call, refusal);
        return OK;
    }
    assert(stock);
    movement.note = request->note;
    call_reply(call, wire_stock_level(stock, batch->arena));
    return stock->changed ? store_save_stock(batch->tx, batch->arena, stock, &movement) : OK;
}

struct status handle_change_stock(struct batch *batch)
{
    struct call *call;
    struct status st = OK;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        st = change_stock(batch, call);
    return st;
}

// Ids that a batch has collected, with what grows.
struct id_list {
    int64_t *ids;
    size_t count;
};

static const Baro__Product__DescribeOptionsRequest *described(const struct call *call)
{
    return (const void *)call->request;
}

static struct id_list collect_described(struct batch *batch)
{
    struct call *call;
    size_t room = 1;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        if (described(call)->n_option_ids > DESCRIBED_MAX)
            call_refuse(call, invalid("option_ids", "must be at most 1,000"));
        else
            room += described(call)->n_option_ids;
    struct id_list list = {arena_array(batch->arena, room, sizeof(int64_t)), 0};
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        for (size_t o = 0; o < described(call)->n_option_ids; o++)
            list.ids[list.count++] = described(call)->option_ids[o];
    return list;
}

struct status handle_describe_options(struct batch *batch)
{
    struct id_list list = collect_described(batch);
    struct book book = {.stocks = NULL};
    struct call *call;
    struct status st = store_find_stocks(batch->tx, batch->arena, list.ids, list.count,
                                         &book.stocks, &book.stock_count);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        call_reply(call, wire_options_described(&book, described(call)->option_ids,
                                                described(call)->n_option_ids, batch->arena));
    return OK;
}

// What a batch of HoldStock wants: the wish of each open call, all their options and orders.
struct wishes {
    struct hold_wish *wishes; // by the index of the call in the batch
    struct id_list options;   // one for each line
    struct id_list orders;
};

static size_t read_wishes(struct batch *batch, struct wishes *wishes)
{
    struct call *call;
    size_t lines = 0;
    wishes->wishes = arena_array(batch->arena, batch->count, sizeof(*wishes->wishes));
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        wishes->wishes[i] = wire_hold_wish((const void *)call->request, batch->arena);
        struct status st = hold_check(&wishes->wishes[i]);
        if (failed(st))
            call_refuse(call, st);
        else
            lines += wishes->wishes[i].line_count;
    }
    return lines;
}

static void collect_ids(struct batch *batch, struct wishes *wishes, size_t lines)
{
    wishes->options.ids = arena_array(batch->arena, lines + 1, sizeof(int64_t));
    wishes->orders.ids = arena_array(batch->arena, batch->count, sizeof(int64_t));
    for (size_t i = 0; batch_next(batch, &i); i++) {
        const struct hold_wish *wish = &wishes->wishes[i];
        wishes->orders.ids[wishes->orders.count++] = wish->order_id;
        for (size_t l = 0; l < wish->line_count; l++)
            wishes->options.ids[wishes->options.count++] = wish->lines[l].option_id;
    }
}

struct status handle_hold_stock(struct batch *batch)
{
    struct wishes wishes = {.wishes = NULL};
    struct book book;
    struct call *call;

    collect_ids(batch, &wishes, read_wishes(batch, &wishes));
    if (wishes.orders.count == 0)
        return OK;
    struct status st =
        store_load_book_to_hold(batch->tx, batch->arena, wishes.options.ids, wishes.options.count,
                                wishes.orders.ids, wishes.orders.count, &book);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status refusal = book_hold(&book, batch->arena, &wishes.wishes[i], batch->now_us);
        if (failed(refusal))
            call_refuse(call, refusal);
        else
            call_reply(call, wire_held(&book, &wishes.wishes[i], batch->arena));
    }
    return store_save_book(batch->tx, batch->arena, &book);
}

// The stock conflict rate is conflicts by all answers.
void count_holds(struct batch *batch)
{
    struct metric *answers =
        metrics_counter("baro_product_holds_total", "Answers to HoldStock", NULL);
    struct metric *conflicts = metrics_counter("baro_product_stock_conflicts_total",
                                               "Holds refused for want of stock", NULL);
    int64_t refused = 0;
    for (size_t i = 0; i < batch->count; i++)
        refused += batch->calls[i]->status.reason == REASON_INSUFFICIENT_STOCK;
    metric_add(answers, (int64_t)batch->count);
    metric_add(conflicts, refused);
}

static const Baro__Product__StockStepRequest *step_of(const struct call *call)
{
    return (const void *)call->request;
}

static struct id_list orders_of(struct batch *batch)
{
    struct id_list list = {arena_array(batch->arena, batch->count, sizeof(int64_t)), 0};
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        list.ids[list.count++] = step_of(call)->order_id;
    return list;
}

static struct status change_holds(struct batch *batch, struct book *book, enum hold_event event)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status outcome = book_change(book, step_of(call)->order_id, event);
        if (outcome.code == STATUS_ABORTED)
            return outcome;
        if (failed(outcome))
            call_refuse(call, outcome);
        else
            call_reply(call, wire_empty());
    }
    return store_save_book(batch->tx, batch->arena, book);
}

static struct status load_and_change(struct batch *batch, enum hold_event event)
{
    struct id_list orders = orders_of(batch);
    struct book book;
    struct status st = store_load_book(batch->tx, batch->arena, orders.ids, orders.count, &book);
    return failed(st) ? st : change_holds(batch, &book, event);
}

struct status handle_confirm_stock(struct batch *batch)
{
    return load_and_change(batch, HOLD_CONFIRM);
}

struct status handle_return_stock(struct batch *batch)
{
    return load_and_change(batch, HOLD_RETURN);
}

static struct id_list options_to_release(struct batch *batch)
{
    struct call *call;
    size_t room = 1;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        room += step_of(call)->n_option_ids;
    struct id_list list = {arena_array(batch->arena, room, sizeof(int64_t)), 0};
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        for (size_t o = 0; o < step_of(call)->n_option_ids; o++)
            list.ids[list.count++] = step_of(call)->option_ids[o];
    return list;
}

// Those for which nothing is held: what comes for them after all is too late.
static struct id_list without_holds(const struct book *book, struct arena *arena)
{
    struct id_list list = {arena_array(arena, book->order_count + 1, sizeof(int64_t)), 0};
    for (size_t i = 0; i < book->order_count; i++)
        if (book->orders[i].count == 0)
            list.ids[list.count++] = book->orders[i].order_id;
    return list;
}

struct status handle_release_stock(struct batch *batch)
{
    struct id_list orders = orders_of(batch), options = options_to_release(batch);
    struct book book;
    struct status st = store_load_book_to_release(batch->tx, batch->arena, options.ids,
                                                  options.count, orders.ids, orders.count, &book);
    if (failed(st))
        return st;
    struct id_list none = without_holds(&book, batch->arena);
    st = change_holds(batch, &book, HOLD_RELEASE);
    return failed(st) ? st : store_note_given_back(batch->tx, none.ids, none.count);
}
