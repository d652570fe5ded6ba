#include "tests/simulate/tables.h"

#include "tests/simulate/sql.h"
#include "tests/simulate/world.h"

#include <assert.h>
#include <stdlib.h>

enum { PARTITIONS = 16 };
// 2026-01-01: what the databases' clocks show at the beginning.
static const int64_t EPOCH_US = INT64_C(1767225600000000);

struct database databases[KINDS];

static struct table keyed(size_t row_size, size_t key_size)
{
    return (struct table){.row_size = row_size, .key_size = key_size, .group = NO_GROUP};
}

static struct table grouped(size_t row_size, size_t key_size, size_t group)
{
    return (struct table){.row_size = row_size, .key_size = key_size, .group = group};
}

struct tables *tables_create(void)
{
    struct tables *t = world_alloc(sizeof(*t));
    t->barrier = grouped(sizeof(struct barrier_version), offsetof(struct barrier_version, code),
                         offsetof(struct barrier_version, saga_id));
    t->idempotency = keyed(sizeof(struct key_version), 16);
    t->outbox = keyed(sizeof(struct outbox_version), 8);
    t->cursor = keyed(sizeof(struct cursor_version), 16);
    t->partition = keyed(sizeof(struct partition_version), 8);
    t->replica = keyed(sizeof(struct replica_version), 16);
    t->given_back = keyed(sizeof(struct given_back_version), 8);
    t->wallet = keyed(sizeof(struct wallet_version), 8);
    t->entry = keyed(sizeof(struct entry_version), 8);
    t->moved = grouped(sizeof(struct moved_version), 16, offsetof(struct moved_version, order_id));
    t->option = keyed(sizeof(struct option_version), 8);
    t->hold = grouped(sizeof(struct hold_version), 16, offsetof(struct hold_version, order_id));
    t->movement = keyed(sizeof(struct movement_version), 8);
    t->sales = keyed(sizeof(struct sales_version), 24);
    t->campaign = keyed(sizeof(struct campaign_version), 8);
    t->coupon = keyed(sizeof(struct coupon_version), 8);
    t->coupon_history = keyed(sizeof(struct coupon_history_version), 8);
    t->user_lock = keyed(sizeof(struct user_lock_version), 8);
    t->orders = keyed(sizeof(struct order_version), 8);
    t->pending = keyed(sizeof(struct pending_version), 8);
    t->line = grouped(sizeof(struct line_version), 16, offsetof(struct line_version, order_id));
    t->change =
        grouped(sizeof(struct change_version), 16, offsetof(struct change_version, order_id));
    t->payment =
        grouped(sizeof(struct payment_version), 16, offsetof(struct payment_version, order_id));
    t->payment_change = grouped(sizeof(struct payment_change_version), 24,
                                offsetof(struct payment_change_version, order_id));
    t->saga = keyed(sizeof(struct saga_version), 8);
    return t;
}

int64_t sequence_next(struct tables *tables, const char *name, int64_t increment)
{
    enum { WRITTEN_AHEAD = 32 };
    size_t i = 0;
    while (tables->sequences[i].name && strcmp(tables->sequences[i].name, name) != 0) {
        i++;
        assert(i < SEQUENCES);
    }
    struct sequence *sequence = &tables->sequences[i];
    if (!sequence->name) {
        int64_t none = 1 - increment;
        *sequence = (struct sequence){world_text(name), none, none, none};
    }
    sequence->value += increment;
    if (sequence->value > sequence->written)
        sequence->written = sequence->value + WRITTEN_AHEAD * increment;
    return sequence->value;
}

int64_t sequence_last(const struct tables *tables, const char *name)
{
    for (size_t i = 0; i < SEQUENCES && tables->sequences[i].name; i++)
        if (strcmp(tables->sequences[i].name, name) == 0)
            return tables->sequences[i].value;
    return 0;
}

void sequences_make_durable(struct tables *tables)
{
    for (size_t i = 0; i < SEQUENCES; i++)
        tables->sequences[i].durable = tables->sequences[i].written;
}

void sequences_crash(struct tables *tables)
{
    for (size_t i = 0; i < SEQUENCES; i++)
        tables->sequences[i].value = tables->sequences[i].written = tables->sequences[i].durable;
}

int64_t database_now_us(const struct database *database)
{
    return EPOCH_US + database->clock_offset_us + world_now_us();
}

const void *committed_next(const struct row **at)
{
    const void *version = NULL;
    for (; *at && !version; *at = (*at)->next)
        version = (*at)->committed;
    return version;
}

// Parameters and rows

const char *q_texts(const struct query *query, int n, size_t i)
{
    return world_text(((const char *const *)query->params[n - 1].data)[i]);
}

struct bytes q_bytes(const struct query *query, int n, size_t i)
{
    struct bytes value = ((const struct bytes *)query->params[n - 1].data)[i];
    if (value.data)
        value.data = world_copy(value.data, value.size);
    return value;
}

int64_t q_now(const struct query *query)
{
    return database_now_us(query->database);
}

int64_t q_after(const struct query *query, int n)
{
    return q_now(query) + q_number(query, n) * 1000;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

const int64_t *q_sorted(const struct query *query, int n, size_t *count)
{
    size_t given = q_count(query, n), kept = 0;
    int64_t *sorted = arena_array(query->arena, given + 1, sizeof(*sorted));
    if (given)
        memcpy(sorted, query->params[n - 1].data, given * sizeof(*sorted));
    if (given > 1)
        qsort(sorted, given, sizeof(*sorted), compare_numbers);
    for (size_t i = 0; i < given; i++)
        if (i == 0 || sorted[i] != sorted[kept - 1])
            sorted[kept++] = sorted[i];
    *count = kept;
    return sorted;
}

struct cell *q_emit(struct query *query, size_t columns)
{
    struct result *result = query->result;
    if (result->count == result->capacity) {
        size_t capacity = result->capacity ? 2 * result->capacity : 4;
        struct cell *grown = arena_array(query->arena, capacity * columns, sizeof(*grown));
        if (result->count)
            memcpy(grown, result->cells, result->count * columns * sizeof(*grown));
        result->cells = grown;
        result->capacity = capacity;
    }
    result->columns = columns;
    return &result->cells[result->count++ * columns];
}

struct cell c_number(int64_t value)
{
    return (struct cell){.number = value};
}

struct cell c_or_null(int64_t value)
{
    return (struct cell){.number = value, .is_null = value == 0};
}

struct cell c_text(const char *value)
{
    return (struct cell){.data = value, .is_null = value == NULL};
}

struct cell c_bytes(struct bytes value)
{
    return (struct cell){.data = value.data, .size = value.size, .is_null = value.data == NULL};
}

void copy_key(char *into, size_t size, const char *text)
{
    assert(strlen(text) < size);
    memset(into, 0, size);
    memcpy(into, text, strlen(text));
}
