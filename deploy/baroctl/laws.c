// Laws that SQL can state: each query returns what breaks its law, so an empty answer is a clean one.

#include "deploy/baroctl/laws.h"

#include "lib/base/text.h"

#include <stdarg.h>

static const char *const LAW_NAMES[] = {
    [LAW_WALLET] = "wallet", [LAW_STOCK] = "stock", [LAW_COUPON] = "coupon",
    [LAW_ORDER] = "order",   [LAW_SAGA] = "saga",
};

// Columns: the id of what is wrong, and a sentence about it.
static const struct statement WALLET = {
    "audit_wallet",
    "SELECT w.user_id, format('user %s has %s won, its history sums to %s', w.user_id, w.balance,"
    "                         coalesce(h.sum, 0))"
    " FROM wallet w LEFT JOIN (SELECT user_id, sum(amount)::bigint AS sum FROM wallet_history"
    "                          GROUP BY user_id) h USING (user_id)"
    " WHERE w.balance <> coalesce(h.sum, 0) OR w.balance < 0"
    " ORDER BY 1"};

static const struct statement WALLET_ENTRIES = {
    "audit_wallet_entries",
    "SELECT coalesce(e.order_id, h.ref_id), format('order %s has a %s entry of %s but history says "
    "%s',"
    "        coalesce(e.order_id, h.ref_id), coalesce(e.type, h.type), e.amount, h.amount)"
    " FROM wallet_order_entry e"
    " FULL JOIN (SELECT * FROM wallet_history WHERE ref_id IS NOT NULL) h"
    "   ON h.ref_id = e.order_id AND h.type = e.type"
    " WHERE e.amount IS DISTINCT FROM h.amount OR e.user_id IS DISTINCT FROM h.user_id"
    " ORDER BY 1"};

static const struct statement STOCK = {
    "audit_stock",
    "SELECT o.id, format('option %s has total %s held %s, movements sum to %s, live holds to %s', "
    "o.id,"
    "                    o.total, o.held, coalesce(m.sum, 0), coalesce(h.sum, 0))"
    " FROM product_option o"
    " LEFT JOIN (SELECT option_id, sum(delta)::bigint AS sum FROM stock_movement GROUP BY 1) m"
    "   ON m.option_id = o.id"
    " LEFT JOIN (SELECT option_id, sum(quantity)::bigint AS sum FROM hold WHERE status = 'HELD'"
    "            GROUP BY 1) h ON h.option_id = o.id"
    " WHERE o.total <> coalesce(m.sum, 0) OR o.held <> coalesce(h.sum, 0) OR o.held < 0"
    "    OR o.held > o.total"
    " ORDER BY 1"};

static const struct statement COUPON_RANKS = {
    "audit_coupon_ranks",
    "SELECT c.id, format('campaign %s of %s has %s claims of %s users, ranks up to %s', c.id,"
    "                    c.total_quantity, u.claims, u.users, u.last)"
    " FROM campaign c"
    " JOIN (SELECT campaign_id, count(*) AS claims, count(DISTINCT user_id) AS users,"
    "              count(DISTINCT rank) AS ranks, min(rank) AS first, max(rank) AS last"
    "       FROM user_coupon GROUP BY 1) u ON u.campaign_id = c.id"
    " WHERE u.claims > c.total_quantity OR u.users <> u.claims OR u.ranks <> u.claims OR u.first "
    "<> 1"
    "    OR u.last <> u.claims"
    " ORDER BY 1"};

static const struct statement SAGAS = {
    "audit_sagas",
    "SELECT id, format('saga %s (%s, order %s) is open since %s and not parked', id, kind, "
    "order_id,"
    "                  created_at)"
    " FROM saga"
    " WHERE state < 2 AND NOT parked AND created_at < baro_now() - interval '2 minutes'"
    " ORDER BY 1"};

static const struct {
    enum law law;
    size_t url; // offset in struct audit_urls
    const struct statement *query;
} QUERIES[] = {
    {LAW_WALLET, offsetof(struct audit_urls, user),    &WALLET        },
    {LAW_WALLET, offsetof(struct audit_urls, user),    &WALLET_ENTRIES},
    {LAW_STOCK,  offsetof(struct audit_urls, product), &STOCK         },
    {LAW_COUPON, offsetof(struct audit_urls, coupon),  &COUPON_RANKS  },
    {LAW_SAGA,   offsetof(struct audit_urls, order),   &SAGAS         },
};

const char *law_name(enum law law)
{
    return LAW_NAMES[law];
}

void report_violation(struct report *report, enum law law, const char *format, ...)
{
    struct finding *finding = &report->laws[law];
    va_list args;

    if (finding->violations++ >= SAMPLE_MAX)
        return;
    va_start(args, format);
    finding->sample[finding->sample_count++] = text_vprintf(report->arena, format, args);
    va_end(args);
}

bool report_is_clean(const struct report *report)
{
    for (size_t i = 0; i < LAW_COUNT; i++)
        if (report->laws[i].violations)
            return false;
    return true;
}

static struct status run_query(const char *url, const struct statement *query, enum law law,
                               struct report *report)
{
    struct rows rows;
    SCOPED(db) *db = db_create(url, "baroctl audit");
    struct status st = db_query(db, query, NO_PARAMS, &rows);

    // The message of a failure lives in the connection, which ends here.
    if (failed(st)) {
        st.message = st.message ? text_copy(report->arena, st.message) : NULL;
        return st;
    }
    for (size_t i = 0; i < rows.count; i++)
        report_violation(report, law, "%s", rows_text(&rows, i, 1));
    return OK;
}

struct status audit_balances(const struct audit_urls *urls, struct report *report)
{
    for (size_t i = 0; i < COUNT(QUERIES); i++) {
        const char *url = *(const char *const *)((const char *)urls + QUERIES[i].url);
        struct status st = run_query(url, QUERIES[i].query, QUERIES[i].law, report);
        if (failed(st))
            return st;
    }
    return OK;
}
