// The statements of services/product/store_stock.c and of what counts sales.

#include "tests/simulate/sql.h"
#include "tests/simulate/world.h"

static sqlstate nothing(struct query *query)
{
    (void)query;
    return NULL;
}

static void emit_stock(struct query *query, const struct option_version *option)
{
    struct cell *cells = q_emit(query, 8);
    cells[0] = c_number(option->id);
    cells[1] = c_number(option->product_id);
    cells[2] = c_number(option->price);
    cells[3] = c_number(option->total);
    cells[4] = c_number(option->held);
    cells[5] = c_number(option->orderable);
    cells[6] = c_text("product");
    cells[7] = c_text("option");
}

// FOR UPDATE in id order.
static sqlstate lock_stocks(struct query *query, const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct row *row = table_find(&query->tables->option, &ids[i]);
        const void *version;
        if (!row || !row_seen(row, query->tx))
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        emit_stock(query, version);
    }
    return NULL;
}

static sqlstate lock_by_option(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    return lock_stocks(query, ids, count);
}

static const struct hold_version *hold_of(const struct query *query, const struct row *row,
                                          int64_t order_id)
{
    const struct hold_version *hold = row_seen(row, query->tx);
    return hold && hold->order_id == order_id ? hold : NULL;
}

// Keeps a list of ids ascending, each once.
static void add_id(struct query *query, int64_t **ids, size_t *count, size_t *capacity, int64_t id)
{
    size_t at = *count;
    if (*count == *capacity) {
        int64_t *grown =
            arena_array(query->arena, *capacity = *capacity ? 2 * *capacity : 16, sizeof(*grown));
        if (*count)
            memcpy(grown, *ids, *count * sizeof(*grown));
        *ids = grown;
    }
    while (at > 0 && (*ids)[at - 1] > id)
        at--;
    if (at > 0 && (*ids)[at - 1] == id)
        return;
    memmove(*ids + at + 1, *ids + at, (*count - at) * sizeof(id));
    (*ids)[at] = id;
    (*count)++;
}

// The options of the orders' holds (of $1) and, when there is such a parameter, those of $2.
static sqlstate lock_options(struct query *query, bool more)
{
    size_t orders, count = 0, capacity = 0;
    int64_t *options = NULL;
    const int64_t *ids = q_sorted(query, 1, &orders);
    for (size_t i = 0; i < orders; i++)
        for (struct row *row = table_group(&query->tables->hold, ids[i]); row;
             row = row->next_of_group) {
            const struct hold_version *hold = hold_of(query, row, ids[i]);
            if (hold)
                add_id(query, &options, &count, &capacity, hold->option_id);
        }
    for (size_t i = 0; more && i < q_count(query, 2); i++)
        add_id(query, &options, &count, &capacity, q_numbers(query, 2, i));
    return lock_stocks(query, options, count);
}

static sqlstate lock_by_orders(struct query *query)
{
    return lock_options(query, false);
}

static sqlstate lock_to_release(struct query *query)
{
    return lock_options(query, true);
}

static void emit_hold(struct query *query, const struct hold_version *hold)
{
    struct cell *cells = q_emit(query, 5);
    cells[0] = c_number(hold->order_id);
    cells[1] = c_number(hold->option_id);
    cells[2] = c_number(hold->quantity);
    cells[3] = c_number(hold->expires_at);
    cells[4] = c_text(hold->status);
}

static void emit_holds(struct query *query, int64_t order_id)
{
    for (struct row *row = table_group(&query->tables->hold, order_id); row;
         row = row->next_of_group)
        if (hold_of(query, row, order_id))
            emit_hold(query, hold_of(query, row, order_id));
}

static sqlstate find_holds(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++)
        emit_holds(query, ids[i]);
    return NULL;
}

// An order that has given back shows a hold of option 0 that ended, before its others.
static sqlstate find_holds_to_hold(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = table_find(&query->tables->given_back, &ids[i]);
        const struct given_back_version *note = row ? row_seen(row, query->tx) : NULL;
        if (note)
            emit_hold(query, &(struct hold_version){
                                 .order_id = ids[i], .expires_at = note->at, .status = "RELEASED"});
        emit_holds(query, ids[i]);
    }
    return NULL;
}

static sqlstate save_stocks(struct query *query)
{
    struct table *table = &query->tables->option;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t id = q_numbers(query, 1, i);
        struct row *row = table_find(table, &id);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct option_version *option = row_change(query->tx, table, row);
        option->total = q_numbers(query, 2, i);
        option->held = q_numbers(query, 3, i);
        if (option->held < 0 || option->total < option->held)
            return "23514";
    }
    return NULL;
}

static sqlstate insert_holds(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct hold_version hold = {
            .order_id = q_numbers(query, 1, i),
            .option_id = q_numbers(query, 2, i),
            .quantity = q_numbers(query, 3, i),
            .expires_at = q_numbers(query, 4, i),
            .status = "HELD",
        };
        state = table_insert(query->tx, &query->tables->hold, &hold);
    }
    return state;
}

static sqlstate save_holds(struct query *query)
{
    struct table *table = &query->tables->hold;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t key[2] = {q_numbers(query, 1, i), q_numbers(query, 2, i)};
        struct row *row = table_find(table, key);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        ((struct hold_version *)row_change(query->tx, table, row))->status = q_texts(query, 3, i);
    }
    return NULL;
}

static sqlstate insert_movements(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++) {
        struct movement_version movement = {
            .id = sequence_next(query->tables, "movement_id", 1),
            .option_id = q_numbers(query, 1, i),
            .delta = q_numbers(query, 2, i),
            .order_id = q_numbers(query, 3, i),
        };
        state = table_insert(query->tx, &query->tables->movement, &movement);
    }
    return state;
}

static bool has_emitted(const struct query *query, int64_t id)
{
    for (size_t i = 0; i < query->result->count; i++)
        if (query->result->cells[i].number == id)
            return true;
    return false;
}

static bool is_due(const struct hold_version *hold, int64_t now)
{
    return hold && strcmp(hold->status, "HELD") == 0 && hold->expires_at <= now;
}

// SKIP LOCKED: rows that others have locked are passed by; what was waited for is looked at again.
// (By birth, not by expiry: a lot takes all that there is here.)
static sqlstate claim_expired(struct query *query)
{
    struct table *table = &query->tables->hold;
    int64_t now = q_now(query), left = q_number(query, 1);
    for (struct row *row = table->first; row && left > 0; row = row->next) {
        const void *version;
        if (!is_due(row_seen(row, query->tx), now) || !row_try_lock(query->tx, row, &version) ||
            !is_due(version, now))
            continue;
        struct hold_version *claimed = row_change(query->tx, table, row);
        claimed->expires_at = q_after(query, 2);
        left--;
        if (!has_emitted(query, claimed->order_id))
            q_emit(query, 1)[0] = c_number(claimed->order_id);
    }
    return NULL;
}

static struct sales_version sales_of(const struct query *query, size_t i)
{
    return (struct sales_version){
        .hour = q_numbers(query, 1, i),
        .product_id = q_numbers(query, 2, i),
        .option_id = q_numbers(query, 3, i),
        .units = q_numbers(query, 4, i),
        .last_paid_at = q_numbers(query, 5, i),
    };
}

static sqlstate add_sales(struct query *query)
{
    struct table *table = &query->tables->sales;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        struct sales_version sales = sales_of(query, i);
        struct row *row;
        bool inserted;
        sqlstate state = table_insert_or_lock(query->tx, table, &sales, &row, &inserted);
        if (state)
            return state;
        if (!inserted)
            ((struct sales_version *)row_change(query->tx, table, row))->units += sales.units;
    }
    return NULL;
}

static sqlstate take_sales_back(struct query *query)
{
    struct table *table = &query->tables->sales;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        struct sales_version sales = sales_of(query, i);
        struct row *row = table_find(table, &sales);
        const void *version;
        if (!row || !row_seen(row, query->tx))
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct sales_version *changed = row_change(query->tx, table, row);
        changed->units = changed->units > sales.units ? changed->units - sales.units : 0;
    }
    return NULL;
}

static const struct sql ROWS[] = {
    {"stock_lock",                 0x534add1b, lock_by_option    },
    {"stock_lock_of_orders",       0xc05a4092, lock_by_orders    },
    {"stock_find_holds",           0x2ab964bb, find_holds        },
    {"stock_lock_to_release",      0x0f49f0e1, lock_to_release   },
    {"stock_find_holds_to_hold",   0x0690aad3, find_holds_to_hold},
    {"stock_note_given_back",      0x8eb31a97, note_given_back   },
    {"stock_prune_given_back",     0x6f009b40, nothing           },
    {"stock_save",                 0x2efe90f1, save_stocks       },
    {"stock_insert_holds",         0xea674ba1, insert_holds      },
    {"stock_save_holds",           0x90fd5047, save_holds        },
    {"stock_insert_movements",     0xf35a8c5d, insert_movements  },
    {"stock_claim_expired",        0xdaf55990, claim_expired     },
    {"popularity_add_sales",       0xe35b72d8, add_sales         },
    {"popularity_take_sales_back", 0x339241db, take_sales_back   },
    {"popularity_claim_snapshot",  0xea1cd793, nothing           }, // midnight is far from every run
    {"popularity_prune_sales",     0xbd04bff9, nothing           },
};

const struct sql_list sql_product = {ROWS, COUNT(ROWS)};
