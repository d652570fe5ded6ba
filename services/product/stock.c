// The life of a hold is the table EDGES (SPEC 2); what is not listed is refused. An event that finds
// its own result changes nothing. The lines of one order change together.
//
// Invariant: through every function here, total >= held >= 0, held = sum of the HELD holds, and each
// change of a total has its movement.

#include "services/product/stock.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// from, event, to, then what happens to `held` and `total` of the option, per unit.
static const struct hold_edge EDGES[] = {
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

// clang-format off
// What an event says when a line has no edge for it, and whether an order without holds is fine.
static const struct {
    const char *name;
    bool needs_hold;
    enum reason refusal;
    const char *message;
} EVENTS[HOLD_EVENT_COUNT] = {
    [HOLD_CONFIRM] = {"confirm", true,  REASON_HOLD_LOST,          "the stock is no longer held"},
    [HOLD_RELEASE] = {"release", false, REASON_ILLEGAL_TRANSITION, "the hold cannot be released"},
    [HOLD_RETURN]  = {"return",  true,  REASON_ILLEGAL_TRANSITION, "the order's stock was not taken"},
    [HOLD_EXPIRE]  = {"expire",  false, REASON_ILLEGAL_TRANSITION, "the hold cannot expire"},
};
// clang-format on

static const char *const STATUS_NAMES[HOLD_STATUS_COUNT] = {
    [HOLD_HELD] = "HELD",
    [HOLD_CONFIRMED] = "CONFIRMED",
    [HOLD_RETURNED] = "RETURNED",
    [HOLD_RELEASED] = "RELEASED",
};

static const char *const MOVEMENT_NAMES[] = {
    [MOVEMENT_INITIAL] = "INITIAL",
    [MOVEMENT_ADMIN] = "ADMIN",
    [MOVEMENT_ORDER] = "ORDER",
    [MOVEMENT_RETURN] = "RETURN",
};

static const char *const OPERATIONS[] = {
    [STOCK_INCREASE] = "increase",
    [STOCK_DECREASE] = "decrease",
    [STOCK_SET] = "set",
};

const char *hold_status_name(enum hold_status status)
{
    assert(status < HOLD_STATUS_COUNT);
    return STATUS_NAMES[status];
}

enum hold_status hold_status_parse(const char *name)
{
    size_t i = 0;
    while (strcmp(STATUS_NAMES[i], name) != 0) {
        i++;
        assert(i < HOLD_STATUS_COUNT);
    }
    return (enum hold_status)i;
}

const char *hold_event_name(enum hold_event event)
{
    assert(event < HOLD_EVENT_COUNT);
    return EVENTS[event].name;
}

const char *movement_kind_name(enum movement_kind kind)
{
    return MOVEMENT_NAMES[kind];
}

bool stock_operation_parse(const char *word, enum stock_operation *operation)
{
    for (size_t i = 0; i < COUNT(OPERATIONS); i++)
        if (strcmp(OPERATIONS[i], word) == 0) {
            *operation = (enum stock_operation)i;
            return true;
        }
    return false;
}

bool hold_next(enum hold_status from, enum hold_event event, struct hold_edge *edge)
{
    for (size_t i = 0; i < COUNT(EDGES); i++)
        if (EDGES[i].from == from && EDGES[i].event == event) {
            *edge = EDGES[i];
            return true;
        }
    return false;
}

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int order_by_id(const void *key, const void *element)
{
    return by_number(key, &((const struct order_holds *)element)->order_id);
}

static int stock_by_id(const void *key, const void *element)
{
    return by_number(key, &((const struct stock *)element)->option_id);
}

static void index_orders(struct book *book, struct arena *arena, const int64_t *order_ids,
                         size_t count)
{
    int64_t *sorted = arena_array(arena, count + 1, sizeof(*sorted));
    if (count)
        memcpy(sorted, order_ids, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_number);
    book->orders = arena_array(arena, count + 1, sizeof(*book->orders));
    for (size_t i = 0; i < count; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            book->orders[book->order_count++].order_id = sorted[i];
}

void book_init(struct book *book, struct arena *arena, const int64_t *order_ids,
               size_t order_id_count, struct stock *stocks, size_t stock_count,
               const struct hold *holds, size_t hold_count, size_t new_lines)
{
    *book = (struct book){.stocks = stocks, .stock_count = stock_count, .hold_count = hold_count};
    index_orders(book, arena, order_ids, order_id_count);
    book->holds = arena_array(arena, hold_count + new_lines + 1, sizeof(*book->holds));
    book->movements = arena_array(arena, hold_count + 1, sizeof(*book->movements));
    for (size_t i = 0; i < hold_count; i++) {
        struct order_holds *order = book_order(book, holds[i].order_id);
        assert(order);
        if (order->count++ == 0)
            order->first = i;
        book->holds[i] = holds[i];
    }
}

struct stock *book_stock(const struct book *book, int64_t option_id)
{
    if (book->stock_count == 0) // bsearch takes no NULL, not even for nothing
        return NULL;
    return bsearch(&option_id, book->stocks, book->stock_count, sizeof(*book->stocks), stock_by_id);
}

struct order_holds *book_order(const struct book *book, int64_t order_id)
{
    return bsearch(&order_id, book->orders, book->order_count, sizeof(*book->orders), order_by_id);
}

static bool repeats_option(const struct hold_wish *wish, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (wish->lines[i].option_id == wish->lines[index].option_id)
            return true;
    return false;
}

struct status hold_check(const struct hold_wish *wish)
{
    int64_t units = 0;
    if (wish->order_id <= 0)
        return invalid("order_id", "must be positive");
    if (wish->ttl_ms <= 0 || wish->ttl_ms > HOLD_TTL_MAX_MS)
        return invalid("ttl_ms", "must be positive and at most a day");
    if (wish->line_count == 0 || wish->line_count > HOLD_UNITS_MAX)
        return invalid("items", "must be 1 to 30 lines");
    for (size_t i = 0; i < wish->line_count; i++) {
        int64_t quantity = wish->lines[i].quantity;
        if (quantity < 1 || quantity > HOLD_PRODUCT_UNITS_MAX)
            return invalid("quantity", "must be 1 to 10");
        if (repeats_option(wish, i))
            return invalid("option_id", "names an option twice");
        units += quantity;
    }
    return units <= HOLD_UNITS_MAX ? OK : invalid("quantity", "an order has at most 30 units");
}

// Units of the line's product in the lines up to it.
static int64_t product_units(const struct book *book, const struct hold_wish *wish, size_t index)
{
    int64_t product_id = book_stock(book, wish->lines[index].option_id)->product_id, units = 0;
    for (size_t i = 0; i <= index; i++)
        if (book_stock(book, wish->lines[i].option_id)->product_id == product_id)
            units += wish->lines[i].quantity;
    return units;
}

static struct status check_line(const struct book *book, struct arena *arena,
                                const struct hold_wish *wish, size_t index)
{
    const struct hold_line *line = &wish->lines[index];
    const struct stock *stock = book_stock(book, line->option_id);

    if (!stock)
        return refuse(REASON_OPTION_NOT_FOUND,
                      text_printf(arena, "there is no option %" PRId64, line->option_id));
    if (!stock->orderable)
        return refuse(REASON_PRODUCT_NOT_ORDERABLE,
                      text_printf(arena, "option %" PRId64 " is not for sale", line->option_id));
    if (product_units(book, wish, index) > HOLD_PRODUCT_UNITS_MAX)
        return invalid("quantity", "an order has at most 10 units of one product");
    if (stock->total - stock->held < line->quantity)
        return refuse(REASON_INSUFFICIENT_STOCK,
                      text_printf(arena, "option %" PRId64 " has %" PRId64 " left", line->option_id,
                                  stock->total - stock->held));
    return OK;
}

static const struct hold *find_line(const struct book *book, const struct order_holds *order,
                                    int64_t option_id)
{
    for (size_t i = 0; i < order->count; i++)
        if (book->holds[order->first + i].option_id == option_id)
            return &book->holds[order->first + i];
    return NULL;
}

// The order has holds: the same wish again, or a wish that comes too late.
static struct status check_repeat(const struct book *book, const struct order_holds *order,
                                  const struct hold_wish *wish)
{
    for (size_t i = 0; i < order->count; i++)
        if (book->holds[order->first + i].status != HOLD_HELD)
            return refuse(REASON_HOLD_LOST, "the order's hold has ended");
    bool same = order->count == wish->line_count;
    for (size_t i = 0; same && i < wish->line_count; i++) {
        const struct hold *hold = find_line(book, order, wish->lines[i].option_id);
        same = hold && hold->quantity == wish->lines[i].quantity;
    }
    return same ? OK : refuse(REASON_ILLEGAL_TRANSITION, "the order holds other lines already");
}

static void take_line(struct book *book, const struct hold_line *line, int64_t order_id,
                      int64_t expires_at_us)
{
    struct stock *stock = book_stock(book, line->option_id);
    stock->held += line->quantity;
    stock->changed = true;
    book->holds[book->hold_count++] = (struct hold){
        .order_id = order_id,
        .option_id = line->option_id,
        .quantity = line->quantity,
        .expires_at_us = expires_at_us,
        .status = HOLD_HELD,
    };
}

struct status book_hold(struct book *book, struct arena *arena, const struct hold_wish *wish,
                        int64_t now_us)
{
    struct order_holds *order = book_order(book, wish->order_id);
    assert(order);
    if (order->count)
        return check_repeat(book, order, wish);
    for (size_t i = 0; i < wish->line_count; i++) {
        struct status st = check_line(book, arena, wish, i);
        if (failed(st))
            return st;
    }
    *order = (struct order_holds){wish->order_id, book->hold_count, wish->line_count};
    for (size_t i = 0; i < wish->line_count; i++)
        take_line(book, &wish->lines[i], wish->order_id, now_us + wish->ttl_ms * US_PER_MS);
    return OK;
}

static struct status check_change(const struct book *book, const struct order_holds *order,
                                  enum hold_event event)
{
    struct hold_edge edge;
    bool possible = order->count || !EVENTS[event].needs_hold;
    for (size_t i = 0; possible && i < order->count; i++) {
        const struct hold *hold = &book->holds[order->first + i];
        possible = hold_next(hold->status, event, &edge);
        if (possible && !book_stock(book, hold->option_id))
            return refuse(REASON_CONFLICT, "the stock was held a moment ago");
    }
    return possible ? OK : refuse(EVENTS[event].refusal, EVENTS[event].message);
}

static void change_line(struct book *book, struct hold *hold, const struct hold_edge *edge)
{
    struct stock *stock = book_stock(book, hold->option_id);
    int64_t delta = edge->total * hold->quantity;

    if (edge->to == hold->status)
        return;
    hold->status = edge->to;
    hold->changed = true;
    stock->held += edge->held * hold->quantity;
    stock->total += delta;
    stock->changed = true;
    assert(stock->held >= 0 && stock->total >= stock->held);
    if (delta)
        book->movements[book->movement_count++] = (struct movement){
            .option_id = hold->option_id,
            .delta = delta,
            .kind = delta < 0 ? MOVEMENT_ORDER : MOVEMENT_RETURN,
            .order_id = hold->order_id,
            .note = "",
        };
}

struct status book_change(struct book *book, int64_t order_id, enum hold_event event)
{
    const struct order_holds *order = book_order(book, order_id);
    assert(order);
    struct status st = check_change(book, order, event);
    for (size_t i = 0; !failed(st) && i < order->count; i++) {
        struct hold *hold = &book->holds[order->first + i];
        struct hold_edge edge = {.to = hold->status};
        hold_next(hold->status, event, &edge);
        change_line(book, hold, &edge);
    }
    return st;
}

static int64_t changed_total(const struct stock *stock, enum stock_operation operation,
                             int64_t quantity)
{
    if (operation == STOCK_SET)
        return quantity;
    return stock->total + (operation == STOCK_DECREASE ? -quantity : quantity);
}

struct status stock_change(struct stock *stock, enum stock_operation operation, int64_t quantity,
                           struct movement *movement)
{
    if (quantity < (operation == STOCK_SET ? 0 : 1) || quantity > STOCK_MAX)
        return invalid("quantity", "must be 1 (or 0 to set) to 1,000,000,000");
    int64_t total = changed_total(stock, operation, quantity);
    if (total > STOCK_MAX)
        return invalid("quantity", "the stock would exceed 1,000,000,000");
    if (total < stock->held)
        return refuse(REASON_INSUFFICIENT_STOCK, "the stock cannot fall below what is held");
    *movement = (struct movement){.option_id = stock->option_id,
                                  .delta = total - stock->total,
                                  .kind = MOVEMENT_ADMIN,
                                  .note = ""};
    stock->total = total;
    stock->changed = movement->delta != 0;
    return OK;
}
