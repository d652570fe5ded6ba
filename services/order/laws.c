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

static const struct law_check CHECKS[] = {
    {LAW_SAGA, 1000, &SAGAS},
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
