// The statements of services/coupon/store*.c.

#include "tests/simulate/sql.h"
#include "tests/simulate/world.h"

#include <stdlib.h>

static void emit_campaign(struct cell *cells, const struct campaign_version *c)
{
    cells[0] = c_number(c->id);
    cells[1] = c_text("campaign");
    cells[2] = c_text("CODE");
    cells[3] = c_text(c->type);
    cells[4] = c_number(c->value);
    cells[5] = c_or_null(c->max_discount);
    cells[6] = c_number(c->min_order);
    cells[7] = c_number(c->total_quantity);
    cells[8] = c_number(c->claimed);
    cells[9] = c_number(c->starts_at);
    cells[10] = c_number(c->ends_at);
    cells[11] = c_number(c->valid_days);
    cells[12] = c_or_null(0);
    cells[13] = c_number(0);
}

enum { CAMPAIGN_COLUMNS = 14, COUPON_COLUMNS = 10 };

static sqlstate lock_campaigns(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        struct row *row = table_find(&query->tables->campaign, &ids[i]);
        const void *version;
        if (!row)
            continue;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        emit_campaign(q_emit(query, CAMPAIGN_COLUMNS), version);
    }
    return NULL;
}

static bool has_claimed(const struct query *query, int64_t campaign, int64_t user)
{
    for (struct row *row = query->tables->coupon.first; row; row = row->next) {
        const struct coupon_version *coupon = row_seen(row, query->tx);
        if (coupon && coupon->campaign_id == campaign && coupon->user_id == user)
            return true;
    }
    return false;
}

static sqlstate find_claims(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 1); i++)
        q_emit(query, 1)[0] =
            c_number(has_claimed(query, q_numbers(query, 1, i), q_numbers(query, 2, i)));
    return NULL;
}

static bool is_taken(const struct coupon_version *coupon)
{
    return strcmp(coupon->status, "HELD") == 0 || strcmp(coupon->status, "USED") == 0;
}

// The unique indexes: (campaign, rank), (user, campaign), and one coupon HELD or USED per order.
static bool clashes(const struct coupon_version *a, const struct coupon_version *b)
{
    if (a->id == b->id)
        return false;
    if (a->campaign_id == b->campaign_id && (a->rank == b->rank || a->user_id == b->user_id))
        return true;
    return a->order_id && a->order_id == b->order_id && is_taken(a) && is_taken(b);
}

// Whoever meets a row that is not committed yet waits for its end.
static sqlstate check_unique(struct query *query, const struct coupon_version *coupon)
{
    for (struct row *row = query->tables->coupon.first; row; row = row->next) {
        const struct coupon_version *pending = row->owner ? row->pending : NULL;
        const void *version;
        if (pending && row->owner != query->tx && clashes(coupon, pending)) {
            sqlstate state = row_lock(query->tx, row, &version);
            if (state)
                return state;
        }
        const struct coupon_version *seen = row_seen(row, query->tx);
        if (seen && clashes(coupon, seen))
            return "23505";
    }
    return NULL;
}

static sqlstate insert_coupons(struct query *query)
{
    for (size_t i = 0; i < q_count(query, 1); i++) {
        struct coupon_version coupon = {
            .id = q_numbers(query, 1, i),
            .campaign_id = q_numbers(query, 2, i),
            .user_id = q_numbers(query, 3, i),
            .rank = q_numbers(query, 4, i),
            .expires_at = q_numbers(query, 5, i),
            .issued_at = q_number(query, 6),
            .status = "AVAILABLE",
        };
        sqlstate state = check_unique(query, &coupon);
        if (!state)
            state = table_insert(query->tx, &query->tables->coupon, &coupon);
        if (state)
            return state;
    }
    return NULL;
}

static sqlstate note(struct query *query, int64_t coupon_id, const char *change, int64_t order_id)
{
    struct coupon_history_version entry = {
        .id = sequence_next(query->tables, "coupon_history", 1),
        .coupon_id = coupon_id,
        .order_id = order_id,
        .change = change,
    };
    return table_insert(query->tx, &query->tables->coupon_history, &entry);
}

static sqlstate append_history(struct query *query)
{
    sqlstate state = NULL;
    for (size_t i = 0; i < q_count(query, 1) && !state; i++)
        state = note(query, q_numbers(query, 1, i), q_texts(query, 3, i), q_numbers(query, 2, i));
    return state;
}

static sqlstate count_claims(struct query *query)
{
    struct table *table = &query->tables->campaign;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t id = q_numbers(query, 1, i);
        struct row *row = table_find(table, &id);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct campaign_version *campaign = row_change(query->tx, table, row);
        campaign->claimed = q_numbers(query, 2, i);
        if (campaign->claimed < 0 || campaign->claimed > campaign->total_quantity)
            return "23514";
    }
    return NULL;
}

static void emit_coupon(struct query *query, const struct coupon_version *c)
{
    const struct row *campaign = table_find(&query->tables->campaign, &c->campaign_id);
    struct cell *cells = q_emit(query, COUPON_COLUMNS + CAMPAIGN_COLUMNS);
    cells[0] = c_number(c->id);
    cells[1] = c_number(c->user_id);
    cells[2] = c_number(c->rank);
    cells[3] = c_text(c->status);
    cells[4] = c_or_null(c->order_id);
    cells[5] = c_number(c->discount);
    cells[6] = c_number(c->issued_at);
    cells[7] = c_number(c->expires_at);
    cells[8] = c_or_null(c->held_until);
    cells[9] = c_or_null(c->used_at);
    emit_campaign(cells + COUPON_COLUMNS, row_seen(campaign, query->tx));
}

static bool is_among(const struct query *query, int n, int64_t id)
{
    for (size_t i = 0; id && i < q_count(query, n); i++)
        if (q_numbers(query, n, i) == id)
            return true;
    return false;
}

static bool is_wanted(const struct query *query, const struct coupon_version *coupon)
{
    return is_among(query, 1, coupon->id) ||
           (is_among(query, 2, coupon->order_id) && is_taken(coupon));
}

typedef bool coupon_test(const struct query *query, const struct coupon_version *coupon);

static int compare_rows(const void *a, const void *b)
{
    const struct coupon_version *left = (*(struct row *const *)a)->first;
    const struct coupon_version *right = (*(struct row *const *)b)->first;
    return (left->id > right->id) - (left->id < right->id);
}

// Rows that fit, in id order.
static struct row **find_coupons(struct query *query, coupon_test *fits, size_t *count)
{
    struct row **found = NULL;
    *count = 0;
    for (int collect = 0; collect < 2; collect++) {
        if (collect)
            found = arena_array(query->arena, *count + 1, sizeof(struct row *));
        *count = 0;
        for (struct row *row = query->tables->coupon.first; row; row = row->next) {
            const struct coupon_version *seen = row_seen(row, query->tx);
            if (!seen || !fits(query, seen))
                continue;
            if (found)
                found[*count] = row;
            (*count)++;
        }
    }
    qsort(found, *count, sizeof(struct row *), compare_rows);
    return found;
}

static sqlstate lock_coupons(struct query *query)
{
    size_t count;
    struct row **found = find_coupons(query, is_wanted, &count);
    for (size_t i = 0; i < count; i++) {
        const void *version;
        sqlstate state = row_lock(query->tx, found[i], &version);
        if (state)
            return state;
        if (is_wanted(query, version))
            emit_coupon(query, version);
    }
    return NULL;
}

static sqlstate nothing(struct query *query)
{
    (void)query;
    return NULL;
}

static sqlstate find_given_back(struct query *query)
{
    size_t count;
    const int64_t *ids = q_sorted(query, 1, &count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = table_find(&query->tables->given_back, &ids[i]);
        if (row && row_seen(row, query->tx))
            q_emit(query, 1)[0] = c_number(ids[i]);
    }
    return NULL;
}

static sqlstate update_coupons(struct query *query)
{
    struct table *table = &query->tables->coupon;
    for (size_t i = 0; i < q_count(query, 1); i++) {
        int64_t id = q_numbers(query, 1, i);
        struct row *row = table_find(table, &id);
        const void *version;
        sqlstate state = row_lock(query->tx, row, &version);
        if (state)
            return state;
        struct coupon_version *coupon = row_change(query->tx, table, row);
        coupon->order_id = q_numbers(query, 2, i);
        coupon->discount = q_numbers(query, 3, i);
        coupon->held_until = q_numbers(query, 4, i);
        coupon->used_at = q_numbers(query, 5, i);
        coupon->status = q_texts(query, 6, i);
        struct coupon_version copy = *coupon;
        state = check_unique(query, &copy);
        if (state)
            return state;
    }
    return NULL;
}

static bool has_expired(const struct query *query, const struct coupon_version *coupon)
{
    return strcmp(coupon->status, "AVAILABLE") == 0 && coupon->expires_at <= q_now(query);
}

// SKIP LOCKED, and a second look at what is locked now.
static struct coupon_version *claim_row(struct query *query, struct row *row, coupon_test *fits)
{
    const struct coupon_version *seen = row_seen(row, query->tx);
    const void *version;
    if (!seen || !fits(query, seen) || !row_try_lock(query->tx, row, &version) ||
        !fits(query, version))
        return NULL;
    return row_change(query->tx, &query->tables->coupon, row);
}

static sqlstate expire_coupons(struct query *query)
{
    for (struct row *row = query->tables->coupon.first; row; row = row->next) {
        struct coupon_version *coupon = claim_row(query, row, has_expired);
        if (!coupon)
            continue;
        coupon->status = "EXPIRED";
        query->affected++;
        note(query, coupon->id, "EXPIRED", 0);
    }
    return NULL;
}

static bool is_stale(const struct query *query, const struct coupon_version *coupon)
{
    return strcmp(coupon->status, "HELD") == 0 && coupon->held_until <= q_now(query);
}

static sqlstate claim_stale_holds(struct query *query)
{
    for (struct row *row = query->tables->coupon.first; row; row = row->next) {
        struct coupon_version *claimed = claim_row(query, row, is_stale);
        if (!claimed)
            continue;
        claimed->held_until = q_after(query, 2);
        q_emit(query, 1)[0] = c_number(claimed->order_id);
    }
    return NULL;
}

static bool is_held_by(const struct query *query, const struct coupon_version *coupon)
{
    return is_among(query, 1, coupon->order_id) && strcmp(coupon->status, "HELD") == 0;
}

static sqlstate release_holds(struct query *query)
{
    size_t count;
    struct row **found = find_coupons(query, is_held_by, &count);
    for (size_t i = 0; i < count; i++) {
        const void *version;
        sqlstate state = row_lock(query->tx, found[i], &version);
        if (state)
            return state;
        if (!is_held_by(query, version))
            continue;
        struct coupon_version *released = row_change(query->tx, &query->tables->coupon, found[i]);
        int64_t order_id = released->order_id;
        released->status = "AVAILABLE";
        released->order_id = released->discount = released->held_until = 0;
        note(query, released->id, "RESTORED", order_id);
    }
    return NULL;
}

// No campaign of a run ends.
static sqlstate sold_out(struct query *query)
{
    for (struct row *row = query->tables->campaign.first; row; row = row->next) {
        const struct campaign_version *campaign = row_seen(row, query->tx);
        if (!campaign || campaign->claimed != campaign->total_quantity)
            continue;
        struct cell *cells = q_emit(query, 3);
        cells[0] = c_number(campaign->id);
        cells[1] = c_number(0);
        cells[2] = c_number(INT32_MAX);
    }
    return NULL;
}

static sqlstate owners(struct query *query)
{
    for (struct row *row = query->tables->coupon.first; row; row = row->next) {
        const struct coupon_version *coupon = row_seen(row, query->tx);
        if (coupon && coupon->campaign_id == q_number(query, 1))
            q_emit(query, 1)[0] = c_number(coupon->user_id);
    }
    return NULL;
}

static const struct sql ROWS[] = {
    {"coupon_lock_campaigns",    0x41c33493, lock_campaigns   },
    {"coupon_find_claims",       0xe6c5791c, find_claims      },
    {"coupon_insert_coupons",    0xf690e5da, insert_coupons   },
    {"coupon_append_history",    0x75c3ec0f, append_history   },
    {"coupon_count_claims",      0x9292857b, count_claims     },
    {"coupon_find_given_back",   0xf4f4bc6c, find_given_back  },
    {"coupon_note_given_back",   0xccdbd344, note_given_back  },
    {"coupon_prune_given_back",  0x36ab85c4, nothing          },
    {"coupon_lock_coupons",      0xdddbe385, lock_coupons     },
    {"coupon_update_coupons",    0x3d70d214, update_coupons   },
    {"coupon_expire_coupons",    0x7d5ee340, expire_coupons   },
    {"coupon_claim_stale_holds", 0x3bdff31c, claim_stale_holds},
    {"coupon_sold_out",          0x0af4fb9d, sold_out         },
    {"coupon_owners",            0xeb842998, owners           },
    {"coupon_release_holds",     0x7e8d4b5e, release_holds    },
};

const struct sql_list sql_coupon = {ROWS, COUNT(ROWS)};
