// Claims against their campaign, coupons against their history; coupons by order.

#include "services/coupon/laws.h"

#include "lib/laws/facts.h"

static const struct statement COUPON_RANKS = {
    "law_coupon_ranks",
    "SELECT c.id,"
    " CASE WHEN u.claims > c.total_quantity OR u.users <> u.claims OR u.ranks <> u.claims"
    "        OR u.first <> 1 OR u.last <> u.claims OR c.claimed <> u.claims THEN"
    "   format('campaign %s of %s has %s claims of %s users and counts %s, ranks up to %s', c.id,"
    "          c.total_quantity, u.claims, u.users, c.claimed, u.last) END"
    " FROM (SELECT id, total_quantity, claimed FROM campaign WHERE id > $1::bigint"
    "       ORDER BY id LIMIT $2::bigint) c"
    " LEFT JOIN LATERAL (SELECT count(*) AS claims, count(DISTINCT user_id) AS users,"
    "                           count(DISTINCT rank) AS ranks, min(rank) AS first,"
    "                           max(rank) AS last"
    "                    FROM user_coupon WHERE campaign_id = c.id) u ON true"
    " ORDER BY 1"};

// A coupon has come to an order (HELD, USED, or first one and then the other) as often as it has gone
// back (RESTORED), and once more while the order has it. Rows of one batch are of one moment, so their
// order says nothing.
static const struct statement COUPON_HISTORY = {
    "law_coupon_history",
    "SELECT u.id,"
    " CASE WHEN h.issued <> 1 OR h.cancelled <> (u.status = 'CANCELLED')::int"
    "        OR h.expired > (u.status IN ('EXPIRED', 'CANCELLED'))::int"
    "        OR h.expired < (u.status = 'EXPIRED')::int OR h.used < (u.status = 'USED')::int"
    "        OR h.restored + (u.order_id IS NOT NULL)::int"
    "           NOT BETWEEN greatest(h.held, h.used) AND h.held + h.used THEN"
    "   format('coupon %s is %s, its history says: %s held, %s used, %s restored, %s expired,"
    " %s cancelled', u.id, u.status, h.held, h.used, h.restored, h.expired, h.cancelled) END"
    " FROM (SELECT id, status, order_id FROM user_coupon WHERE id > $1::bigint"
    "       ORDER BY id LIMIT $2::bigint) u"
    " LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE change = 'ISSUED') AS issued,"
    "                           count(*) FILTER (WHERE change = 'HELD') AS held,"
    "                           count(*) FILTER (WHERE change = 'USED') AS used,"
    "                           count(*) FILTER (WHERE change = 'RESTORED') AS restored,"
    "                           count(*) FILTER (WHERE change = 'EXPIRED') AS expired,"
    "                           count(*) FILTER (WHERE change = 'CANCELLED') AS cancelled"
    "                    FROM user_coupon_history WHERE user_coupon_id = u.id) h ON true"
    " ORDER BY 1"};

static const struct law_check CHECKS[] = {
    {LAW_COUPON, 50,   &COUPON_RANKS  },
    {LAW_COUPON, 1000, &COUPON_HISTORY},
};

#define COUPONS(which, how_many)                                                                   \
    "SELECT order_id, count(*) FILTER (WHERE status <> 'HELD'),"                                   \
    "       count(*) FILTER (WHERE status = 'HELD'), max(id),"                                     \
    "       count(*) FILTER (WHERE status = 'HELD'"                                                \
    "                          AND held_until < baro_now() - interval '2 minutes')"                \
    " FROM ((SELECT id, order_id, status, held_until FROM user_coupon"                             \
    "        WHERE status IN ('HELD', 'USED') AND " which " ORDER BY order_id" how_many ")"        \
    "       UNION ALL"                                                                             \
    "       (SELECT id, order_id, status, held_until FROM user_coupon"                             \
    "        WHERE status = 'CANCELLED' AND used_at IS NOT NULL AND " which                        \
    "        ORDER BY order_id" how_many ")) AS taken"                                             \
    " GROUP BY order_id ORDER BY order_id" how_many

static const struct statement FACTS = {"facts_coupons",
                                       COUPONS("order_id > $1::bigint", " LIMIT $2::bigint")};
static const struct statement FACTS_OF = {"facts_coupons_of",
                                          COUPONS("order_id = ANY($1::bigint[])", "")};
static const struct fact_query COUPON_QUERY = {COUPON_FACTS, &FACTS, &FACTS_OF};

const struct law_book coupon_laws = {CHECKS, COUNT(CHECKS), &COUPON_QUERY};
