// Law 4 as a merge: five streams sorted by order id advance together; for each order the facts that
// the databases hold about it are gathered and compared with what its status demands. An order whose
// saga is open is skipped: its facts are on their way.

#include "deploy/baroctl/laws.h"
#include "deploy/baroctl/stream.h"
#include "lib/base/text.h"

#include <inttypes.h>

#define PAGE "FETCH 2000 FROM audit"
#define CURSOR "DECLARE audit NO SCROLL CURSOR WITH HOLD FOR "

static const struct statement FETCH = {"audit_fetch", PAGE};

// The numbers of a status are those of baro.order.OrderStatus.
static const struct statement ORDERS = {
    "audit_orders", CURSOR
    "SELECT o.id, o.status::bigint, o.total_amount - o.discount, coalesce(o.user_coupon_id, 0),"
    "       o.user_id, coalesce(i.lines, 0), coalesce(i.units, 0),"
    "       coalesce(p.completed, 0), coalesce(p.completed_amount, 0), coalesce(p.refunded, 0),"
    "       EXISTS (SELECT FROM saga s WHERE s.order_id = o.id AND s.state < 2)"
    " FROM orders o"
    " LEFT JOIN LATERAL (SELECT count(*) AS lines, sum(quantity)::bigint AS units"
    "                    FROM order_item WHERE order_id = o.id) i ON true"
    " LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE status = 3) AS completed,"
    "                           sum(amount) FILTER (WHERE status = 3)::bigint AS completed_amount,"
    "                           count(*) FILTER (WHERE status = 6) AS refunded"
    "                    FROM payment WHERE order_id = o.id) p ON true"
    " ORDER BY o.id"};

static const struct statement ENTRIES = {
    "audit_entries", CURSOR
    "SELECT order_id, user_id, -coalesce(sum(amount) FILTER (WHERE type = 'USE'), 0)::bigint,"
    "       coalesce(sum(amount) FILTER (WHERE type = 'REFUND'), 0)::bigint"
    " FROM wallet_order_entry GROUP BY order_id, user_id ORDER BY order_id"};

static const struct statement HOLDS = {
    "audit_holds", CURSOR
    "SELECT order_id, count(*) FILTER (WHERE status = 'HELD'),"
    "       count(*) FILTER (WHERE status = 'CONFIRMED'), count(*) FILTER (WHERE status = "
    "'RETURNED'),"
    "       coalesce(sum(quantity) FILTER (WHERE status IN ('HELD', 'CONFIRMED')), 0)::bigint,"
    "       bool_or(status = 'HELD' AND expires_at < baro_now() - interval '2 minutes')"
    " FROM hold GROUP BY order_id ORDER BY order_id"};

// A used coupon that an admin has cancelled counts as used: its order has had the discount.
static const struct statement COUPONS = {
    "audit_coupons", CURSOR
    "SELECT order_id, count(*) FILTER (WHERE status <> 'HELD'), count(*) FILTER (WHERE status = "
    "'HELD'),"
    "       max(id), bool_or(status = 'HELD' AND held_until < baro_now() - interval '2 minutes')"
    " FROM user_coupon"
    " WHERE status IN ('USED', 'HELD') OR (status = 'CANCELLED' AND used_at IS NOT NULL)"
    " GROUP BY order_id ORDER BY order_id"};

// Everything that is known about one order id.
struct facts {
    int64_t order_id;
    bool exists, under_way;
    int64_t status, final_amount, user_coupon_id, user_id, lines, units;
    int64_t completed, completed_amount, refunded;
    int64_t payer, used, given_back;
    int64_t held, confirmed, returned, held_or_confirmed_units;
    bool stale_hold;
    int64_t coupons_used, coupons_held, coupon_id;
    bool stale_coupon;
};

// What a status demands, by its number. Money is what the wallet has paid and not got back.
enum demand { NONE, EACH };

static const struct demands {
    const char *status;
    bool checked; // false: a saga is under way, or must be
    bool money;   // the final amount is paid and kept
    enum demand completed, refunded, held, confirmed;
    bool coupon_used, coupon_held;
} DEMANDS[] = {
    {"",          false, false, NONE, NONE, NONE, NONE, false, false},
    {"PENDING",   true,  false, NONE, NONE, EACH, NONE, false, true },
    {"PAYING",    false, false, NONE, NONE, NONE, NONE, false, false},
    {"HELD",      false, false, NONE, NONE, NONE, NONE, false, false},
    {"PAID",      true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"PREPARING", true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"SHIPPING",  true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"DELIVERED", true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"FAILED",    true,  false, NONE, NONE, NONE, NONE, false, false},
    {"EXPIRED",   true,  false, NONE, NONE, NONE, NONE, false, false},
    {"CANCELLED", true,  false, NONE, NONE, NONE, NONE, false, false},
    {"REFUNDING", false, false, NONE, NONE, NONE, NONE, false, false},
    {"REFUNDED",  true,  false, NONE, EACH, NONE, NONE, false, false},
};

static void check_number(struct report *report, const struct facts *facts, const char *what,
                         int64_t found, int64_t demanded)
{
    if (found != demanded)
        report_violation(report, LAW_ORDER,
                         "order %" PRId64 " (%s): %s %" PRId64 ", must be %" PRId64,
                         facts->order_id, DEMANDS[facts->status].status, what, found, demanded);
}

static void check_order(struct report *report, const struct facts *facts)
{
    const struct demands *want = &DEMANDS[facts->status];
    bool coupon = facts->user_coupon_id != 0;

    check_number(report, facts, "completed payments", facts->completed, want->completed == EACH);
    check_number(report, facts, "refunded payments", facts->refunded, want->refunded == EACH);
    if (facts->completed == 1)
        check_number(report, facts, "amount of the payment", facts->completed_amount,
                     facts->final_amount);
    check_number(report, facts, "won kept", facts->used - facts->given_back,
                 want->money ? facts->final_amount : 0);
    if (facts->used)
        check_number(report, facts, "payer", facts->payer, facts->user_id);
    check_number(report, facts, "held lines", facts->held, want->held == EACH ? facts->lines : 0);
    check_number(report, facts, "confirmed lines", facts->confirmed,
                 want->confirmed == EACH ? facts->lines : 0);
    if (want->held == EACH || want->confirmed == EACH)
        check_number(report, facts, "units held or confirmed", facts->held_or_confirmed_units,
                     facts->units);
    check_number(report, facts, "used coupons", facts->coupons_used, want->coupon_used && coupon);
    // An admin may have cancelled the coupon of an order that waits: then none is held.
    if (facts->coupons_held)
        check_number(report, facts, "held coupons", facts->coupons_held,
                     want->coupon_held && coupon);
    if (facts->coupons_used + facts->coupons_held == 1 && coupon)
        check_number(report, facts, "coupon", facts->coupon_id, facts->user_coupon_id);
}

// Money, stock and coupons of an order that was never inserted: holds have a time to live.
static void check_stray(struct report *report, const struct facts *facts)
{
    if (facts->used != facts->given_back)
        report_violation(report, LAW_ORDER,
                         "order %" PRId64 " does not exist, but %" PRId64 " won were taken",
                         facts->order_id, facts->used - facts->given_back);
    if (facts->confirmed || facts->stale_hold)
        report_violation(report, LAW_ORDER, "order %" PRId64 " does not exist, but has stock",
                         facts->order_id);
    if (facts->coupons_used || facts->stale_coupon)
        report_violation(report, LAW_COUPON,
                         "order %" PRId64 " does not exist, but has coupon %" PRId64,
                         facts->order_id, facts->coupon_id);
}

static void check_facts(struct report *report, const struct facts *facts)
{
    if (!facts->exists)
        check_stray(report, facts);
    else if (facts->under_way)
        report->under_way++;
    else if (facts->status < 1 || facts->status >= (int64_t)COUNT(DEMANDS))
        report_violation(report, LAW_ORDER, "order %" PRId64 " has the unknown status %" PRId64,
                         facts->order_id, facts->status);
    else if (!DEMANDS[facts->status].checked)
        report_violation(report, LAW_ORDER, "order %" PRId64 " is %s without an open saga",
                         facts->order_id, DEMANDS[facts->status].status);
    else
        check_order(report, facts);
}

// Readers: take the current row of a stream into the facts.
static void take_order(const struct rows *rows, size_t row, struct facts *facts)
{
    facts->exists = true;
    facts->status = rows_int64(rows, row, 1);
    facts->final_amount = rows_int64(rows, row, 2);
    facts->user_coupon_id = rows_int64(rows, row, 3);
    facts->user_id = rows_int64(rows, row, 4);
    facts->lines = rows_int64(rows, row, 5);
    facts->units = rows_int64(rows, row, 6);
    facts->completed = rows_int64(rows, row, 7);
    facts->completed_amount = rows_int64(rows, row, 8);
    facts->refunded = rows_int64(rows, row, 9);
    facts->under_way = rows_bool(rows, row, 10);
}

static void take_entries(const struct rows *rows, size_t row, struct facts *facts)
{
    facts->payer = rows_int64(rows, row, 1);
    facts->used += rows_int64(rows, row, 2);
    facts->given_back += rows_int64(rows, row, 3);
}

static void take_holds(const struct rows *rows, size_t row, struct facts *facts)
{
    facts->held = rows_int64(rows, row, 1);
    facts->confirmed = rows_int64(rows, row, 2);
    facts->returned = rows_int64(rows, row, 3);
    facts->held_or_confirmed_units = rows_int64(rows, row, 4);
    facts->stale_hold = rows_bool(rows, row, 5);
}

static void take_coupons(const struct rows *rows, size_t row, struct facts *facts)
{
    facts->coupons_used = rows_int64(rows, row, 1);
    facts->coupons_held = rows_int64(rows, row, 2);
    facts->coupon_id = rows_int64(rows, row, 3);
    facts->stale_coupon = rows_bool(rows, row, 4);
}

// The orders come last: an order that ends between two snapshots is seen under way or ended, and what
// it moved before it was seen.
static const struct source {
    size_t url; // offset in struct audit_urls
    const struct statement *declare;
    void (*take)(const struct rows *rows, size_t row, struct facts *facts);
} SOURCES[] = {
    {offsetof(struct audit_urls, user),    &ENTRIES, take_entries},
    {offsetof(struct audit_urls, product), &HOLDS,   take_holds  },
    {offsetof(struct audit_urls, coupon),  &COUPONS, take_coupons},
    {offsetof(struct audit_urls, order),   &ORDERS,  take_order  },
};

static int64_t lowest_key(const struct stream *streams)
{
    int64_t lowest = INT64_MAX;
    for (size_t i = 0; i < COUNT(SOURCES); i++)
        if (stream_key(&streams[i]) < lowest)
            lowest = stream_key(&streams[i]);
    return lowest;
}

static struct status gather(struct stream *streams, struct facts *facts)
{
    for (size_t i = 0; i < COUNT(SOURCES); i++) {
        while (stream_key(&streams[i]) == facts->order_id) {
            SOURCES[i].take(&streams[i].page, streams[i].next, facts);
            struct status st = stream_advance(&streams[i]);
            if (failed(st))
                return st;
        }
    }
    return OK;
}

static struct status walk(struct stream *streams, struct report *report)
{
    for (int64_t id = lowest_key(streams); id != INT64_MAX; id = lowest_key(streams)) {
        struct facts facts = {.order_id = id};
        struct status st = gather(streams, &facts);
        if (failed(st))
            return st;
        check_facts(report, &facts);
    }
    return OK;
}

struct status audit_orders(const struct audit_urls *urls, struct report *report)
{
    struct stream streams[COUNT(SOURCES)] = {{0}};
    struct status st = OK;

    for (size_t i = 0; i < COUNT(SOURCES) && !failed(st); i++) {
        const char *url = *(const char *const *)((const char *)urls + SOURCES[i].url);
        st = stream_open(&streams[i], db_create(url, "baroctl audit"), SOURCES[i].declare, &FETCH);
    }
    if (!failed(st))
        st = walk(streams, report);
    // The message of a failure lives in a connection, which ends here.
    if (failed(st) && st.message)
        st.message = text_copy(report->arena, st.message);
    for (size_t i = 0; i < COUNT(SOURCES); i++)
        stream_close(&streams[i]);
    return st;
}
