#pragma once
// Stock and holds (SPEC 4), pure: what may be held, and what each change of a hold does to the stock.
//
// A `book` is what one batch works on: the options it has locked and the holds of its orders. The
// rules change the book; the store writes back what they marked as changed.

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HOLD_UNITS_MAX = 30,         // per order
    HOLD_PRODUCT_UNITS_MAX = 10, // per product of an order
};
#define STOCK_MAX INT64_C(1000000000)
#define HOLD_TTL_MAX_MS MS_PER_DAY

enum hold_status { HOLD_HELD, HOLD_CONFIRMED, HOLD_RETURNED, HOLD_RELEASED, HOLD_STATUS_COUNT };

enum hold_event {
    HOLD_CONFIRM, // the order is paid: the units leave the stock
    HOLD_RELEASE, // the order failed, whatever was reached: everything goes back
    HOLD_RETURN,  // a paid order is given back
    HOLD_EXPIRE,  // its time is over and no order wants it
    HOLD_EVENT_COUNT,
};

enum movement_kind { MOVEMENT_INITIAL, MOVEMENT_ADMIN, MOVEMENT_ORDER, MOVEMENT_RETURN };

enum stock_operation { STOCK_INCREASE, STOCK_DECREASE, STOCK_SET };

// One option: total >= held >= 0.
struct stock {
    int64_t option_id;
    int64_t product_id;
    int64_t price_won;
    int64_t total;
    int64_t held;
    bool orderable; // its product is active and not deleted
    const char *product_name;
    const char *option_name;
    bool changed;
};

// One line of an order's reservation.
struct hold {
    int64_t order_id;
    int64_t option_id;
    int64_t quantity;
    int64_t expires_at_us;
    enum hold_status status;
    bool stored;  // the store has a row
    bool changed; // its status is not the row's
};

// One change of a total.
struct movement {
    int64_t option_id;
    int64_t delta;
    enum movement_kind kind;
    int64_t order_id; // 0: none
    const char *note;
};

// Where the holds of one order stand in the book.
struct order_holds {
    int64_t order_id;
    size_t first;
    size_t count; // 0: none
};

struct book {
    struct stock *stocks; // by option id
    size_t stock_count;
    struct order_holds *orders; // by order id
    size_t order_count;
    struct hold *holds; // those of one order stand together
    size_t hold_count;
    struct movement *movements;
    size_t movement_count;
};

struct hold_line {
    int64_t option_id;
    int64_t quantity;
};

struct hold_wish {
    int64_t order_id;
    int64_t ttl_ms;
    const struct hold_line *lines;
    size_t line_count;
};

// Makes the book of the given orders (in any order, repeats allowed) from locked stocks (by option
// id) and stored holds (by order id), with room for `new_lines` more holds. Takes the arrays over.
void book_init(struct book *book, struct arena *arena, const int64_t *order_ids,
               size_t order_id_count, struct stock *stocks, size_t stock_count,
               const struct hold *holds, size_t hold_count, size_t new_lines);

// The option's stock; NULL when the book lacks it.
struct stock *book_stock(const struct book *book, int64_t option_id);

// The order's place; NULL when the book was not made for it.
struct order_holds *book_order(const struct book *book, int64_t order_id);

// What can be checked without the catalogue: ids, quantities >= 1, each option once, a time to live
// of at most a day, units per order. VALIDATION_ERROR.
struct status hold_check(const struct hold_wish *wish);

// Holds all lines or none. The same wish again is fine and changes nothing. Refusals:
// OPTION_NOT_FOUND, PRODUCT_NOT_ORDERABLE, INSUFFICIENT_STOCK; VALIDATION_ERROR beyond the limit per
// product; HOLD_LOST when the order's hold is gone; ILLEGAL_TRANSITION when it holds other lines.
struct status book_hold(struct book *book, struct arena *arena, const struct hold_wish *wish,
                        int64_t now_us);

// Makes the event happen to all lines of the order, or to none; repeating it changes nothing.
// Refusals: what the event's table row says (HOLD_LOST, ILLEGAL_TRANSITION); CONFLICT when the book
// lacks an option of the order (it was held a moment ago: run again).
struct status book_change(struct book *book, int64_t order_id, enum hold_event event);

// What the event makes of a hold, and of its option per unit; false for an edge that is not drawn.
struct hold_edge {
    enum hold_status from;
    enum hold_event event;
    enum hold_status to;
    int held;  // -1, 0: sign of the quantity
    int total; // -1, 0, 1
};
bool hold_next(enum hold_status from, enum hold_event event, struct hold_edge *edge);

// Changes a total by hand and fills in the movement; delta 0 means that nothing is to be recorded.
// VALIDATION_ERROR on "quantity"; INSUFFICIENT_STOCK below what is held.
struct status stock_change(struct stock *stock, enum stock_operation operation, int64_t quantity,
                           struct movement *movement);

// "HELD" for HOLD_HELD; the status with that name (must exist).
const char *hold_status_name(enum hold_status status);
enum hold_status hold_status_parse(const char *name);
const char *hold_event_name(enum hold_event event);

// "INITIAL" for MOVEMENT_INITIAL.
const char *movement_kind_name(enum movement_kind kind);

// "increase", "decrease", "set"; false for any other word.
bool stock_operation_parse(const char *word, enum stock_operation *operation);
