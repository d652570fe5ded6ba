// Stock against its movements and its live holds. Movements have no index by option: their sums are
// made in one go for as many options as there may be.

#include "services/product/laws.h"

#include "lib/laws/facts.h"

static const struct statement STOCK = {
    "law_stock",
    "SELECT o.id,"
    " CASE WHEN o.total <> coalesce(m.sum, 0) OR o.held <> coalesce(h.sum, 0) OR o.held < 0"
    "        OR o.held > o.total THEN"
    "   format('option %s has total %s held %s, movements sum to %s, live holds to %s', o.id,"
    "          o.total, o.held, coalesce(m.sum, 0), coalesce(h.sum, 0)) END"
    " FROM (SELECT id, total, held FROM product_option WHERE id > $1::bigint"
    "       ORDER BY id LIMIT $2::bigint) o"
    " LEFT JOIN (SELECT option_id, sum(delta)::bigint AS sum FROM stock_movement"
    "            WHERE option_id > $1::bigint GROUP BY 1) m ON m.option_id = o.id"
    " LEFT JOIN (SELECT option_id, sum(quantity)::bigint AS sum FROM hold"
    "            WHERE status = 'HELD' GROUP BY 1) h ON h.option_id = o.id"
    " ORDER BY 1"};

static const struct law_check CHECKS[] = {
    {LAW_STOCK, 20000, &STOCK},
};

#define HOLDS(which, how_many)                                                                     \
    "SELECT order_id, count(*) FILTER (WHERE status = 'HELD'),"                                    \
    "       count(*) FILTER (WHERE status = 'CONFIRMED'),"                                         \
    "       coalesce(sum(quantity) FILTER (WHERE status IN ('HELD', 'CONFIRMED')), 0)::bigint,"    \
    "       count(*) FILTER (WHERE status = 'HELD'"                                                \
    "                          AND expires_at < baro_now() - interval '2 minutes')"                \
    " FROM hold WHERE " which " GROUP BY order_id ORDER BY order_id" how_many

static const struct statement FACTS = {"facts_holds",
                                       HOLDS("order_id > $1::bigint", " LIMIT $2::bigint")};
static const struct statement FACTS_OF = {"facts_holds_of",
                                          HOLDS("order_id = ANY($1::bigint[])", "")};
static const struct fact_query HOLD_QUERY = {PRODUCT_FACTS, &FACTS, &FACTS_OF};

const struct law_book product_laws = {CHECKS, COUNT(CHECKS), &HOLD_QUERY};
