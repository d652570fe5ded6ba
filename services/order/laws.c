// The book of the order service.

#include "services/order/laws.h"

#include "lib/laws/facts.h"
#include "services/order/law_orders.h"

// Twice the minute after which recovery decides.
static const struct statement SAGAS = {
    "law_sagas",
    "SELECT id,"
    " CASE WHEN NOT parked AND created_at < baro_now() - interval '2 minutes' THEN"
    "   format('saga %s (%s, order %s) is open since %s and not parked', id, kind, order_id,"
    "          created_at) END"
    " FROM saga WHERE state < 2 AND id > $1::bigint ORDER BY id LIMIT $2::bigint"};

// Every change of a status is a row of history, and the last one is what the order is now; those that
// wait for their money are those that expire.
static const struct statement ORDER_HISTORY = {
    "law_order_history",
    "SELECT o.id,"
    " CASE WHEN h.changes <> o.version OR h.last <> o.version OR h.status <> o.status THEN"
    "   format('order %s has status %s after %s changes,"
    " its history has %s up to %s and status %s',"
    "          o.id, o.status, o.version, h.changes, h.last, h.status)"
    "      WHEN (o.status = 1) <> (p.order_id IS NOT NULL) OR p.expires_at <> o.expires_at THEN"
    "   format('order %s with status %s expires at %s, the sweep knows %s', o.id, o.status,"
    "          o.expires_at, coalesce(p.expires_at::text, 'nothing of it')) END"
    " FROM (SELECT id, version, status, expires_at FROM orders WHERE id > $1::bigint"
    "       ORDER BY id LIMIT $2::bigint) o"
    " LEFT JOIN LATERAL (SELECT count(*) AS changes, coalesce(max(version), 0) AS last,"
    "                           coalesce((array_agg(status ORDER BY version DESC))[1], 0) AS status"
    "                    FROM order_history WHERE order_id = o.id) h ON true"
    " LEFT JOIN order_pending p ON p.order_id = o.id"
    " ORDER BY 1"};

// The same of each attempt to pay.
static const struct statement PAYMENT_HISTORY = {
    "law_payment_history",
    "SELECT o.id,"
    " CASE WHEN a.wrong > 0 THEN"
    "   format('order %s has %s payments that are not what their history says', o.id, a.wrong) END"
    " FROM (SELECT id FROM orders WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint) o"
    " LEFT JOIN LATERAL ("
    "   SELECT count(*) AS wrong FROM payment p"
    "   LEFT JOIN LATERAL (SELECT count(*) AS changes, coalesce(max(version), 0) AS last,"
    "                             (array_agg(to_status ORDER BY version DESC))[1] AS status"
    "                      FROM payment_history WHERE order_id = o.id AND payment_id = p.id) h"
    "     ON true"
    "   WHERE p.order_id = o.id AND (h.changes <> p.version OR h.last <> p.version"
    "                                OR h.status IS DISTINCT FROM p.status)) a ON true"
    " ORDER BY 1"};

static const struct law_check CHECKS[] = {
    {LAW_SAGA,  1000, &SAGAS          },
    {LAW_ORDER, 1000, &ORDER_HISTORY  },
    {LAW_ORDER, 1000, &PAYMENT_HISTORY},
};

#define ORDERS(which, how_many)                                                                    \
    "SELECT o.id, o.status::bigint, o.total_amount - o.discount, coalesce(o.user_coupon_id, 0),"   \
    "       o.user_id, i.lines, coalesce(i.units, 0), p.completed,"                                \
    "       coalesce(p.completed_amount, 0), p.refunded,"                                          \
    "       EXISTS (SELECT FROM saga s WHERE s.order_id = o.id AND s.state < 2)::int::bigint"      \
    " FROM (SELECT * FROM orders WHERE " which " ORDER BY id" how_many ") o"                       \
    " LEFT JOIN LATERAL (SELECT count(*) AS lines, sum(quantity)::bigint AS units"                 \
    "                    FROM order_item WHERE order_id = o.id) i ON true"                         \
    " LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE status = 3) AS completed,"                  \
    "                           sum(amount) FILTER (WHERE status = 3)::bigint"                     \
    "                             AS completed_amount,"                                            \
    "                           count(*) FILTER (WHERE status = 6) AS refunded"                    \
    "                    FROM payment WHERE order_id = o.id) p ON true"                            \
    " ORDER BY o.id"

static const struct statement FACTS = {"facts_orders",
                                       ORDERS("id > $1::bigint", " LIMIT $2::bigint")};
static const struct statement FACTS_OF = {"facts_orders_of", ORDERS("id = ANY($1::bigint[])", "")};
static const struct fact_query ORDER_QUERY = {ORDER_FACTS, &FACTS, &FACTS_OF};

const struct law_book order_laws = {CHECKS, COUNT(CHECKS), &ORDER_QUERY};

struct status laws_check(const struct law_source sources[LAW_PLACES], const struct law_going *going,
                         struct report *report)
{
    struct status st = OK;
    for (int i = 0; i < LAW_PLACES && !failed(st); i++)
        st = law_source_check(&sources[i], going, report);
    return failed(st) ? st : law_orders_check(sources, going, report);
}
