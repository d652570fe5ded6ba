// Each account has a wallet; balance against history by user; history against the entries of
// orders, and their numbers.

#include "services/user/laws.h"

#include "lib/laws/facts.h"

static const struct statement WALLET = {
    "law_wallet",
    "SELECT w.id,"
    " CASE WHEN w.balance IS NULL THEN format('user %s has no wallet', w.id)"
    "      WHEN w.balance <> coalesce(h.sum, 0) OR w.balance < 0 THEN"
    "   format('user %s has %s won, its history sums to %s', w.id, w.balance, coalesce(h.sum, 0))"
    "      WHEN h.count <> w.version OR h.last <> w.version THEN"
    "   format('user %s has a wallet of %s changes, its history has %s up to %s', w.id, w.version,"
    "          h.count, h.last) END"
    " FROM (SELECT a.id, wallet.balance, wallet.version"
    "       FROM (SELECT id FROM account WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint) a"
    "       LEFT JOIN wallet ON wallet.user_id = a.id) w"
    " LEFT JOIN LATERAL (SELECT sum(amount)::bigint AS sum, count(*),"
    "                           coalesce(max(number), 0) AS last"
    "                    FROM wallet_history WHERE user_id = w.id) h ON true"
    " ORDER BY 1"};

// An entry without its history: every entry of history has its order's (below), so their numbers tell.
static const struct statement WALLET_ENTRIES = {
    "law_wallet_entries",
    "SELECT 1,"
    " CASE WHEN e.count <> h.count OR e.sum <> h.sum THEN"
    "   format('orders have %s entries of %s won, history has %s of %s', e.count, e.sum, h.count,"
    "          h.sum) END"
    " FROM (SELECT count(*), coalesce(sum(amount), 0) AS sum FROM wallet_order_entry) e,"
    "      (SELECT count(*), coalesce(sum(amount), 0) AS sum FROM wallet_history"
    "       WHERE ref_id IS NOT NULL) h"
    " WHERE $1::bigint < 1 AND $2::bigint > 0"};

static const struct statement WALLET_HISTORY = {
    "law_wallet_history",
    "SELECT h.id,"
    " CASE WHEN h.ref_id IS NOT NULL AND e.amount IS DISTINCT FROM h.amount THEN"
    "   format('user %s has %s %s of order %s in the history, but the order says %s', h.user_id,"
    "          h.type, h.amount, h.ref_id, coalesce(e.amount::text, 'nothing')) END"
    " FROM (SELECT id, user_id, type, ref_id, amount FROM wallet_history WHERE id > $1::bigint"
    "       ORDER BY id LIMIT $2::bigint) h"
    " LEFT JOIN wallet_order_entry e"
    "   ON e.order_id = h.ref_id AND e.type = h.type AND e.user_id = h.user_id"
    " ORDER BY 1"};

static const struct law_check CHECKS[] = {
    {LAW_WALLET, 1000, &WALLET        },
    {LAW_WALLET, 2,    &WALLET_ENTRIES},
    {LAW_WALLET, 2000, &WALLET_HISTORY},
};

// A payer of -1: several.
#define ENTRIES(which, how_many)                                                                   \
    "SELECT order_id, CASE WHEN min(user_id) = max(user_id) THEN max(user_id) ELSE -1 END,"        \
    "       -coalesce(sum(amount) FILTER (WHERE type = 'USE'), 0)::bigint,"                        \
    "       coalesce(sum(amount) FILTER (WHERE type = 'REFUND'), 0)::bigint"                       \
    " FROM wallet_order_entry WHERE " which " GROUP BY order_id ORDER BY order_id" how_many

static const struct statement FACTS = {"facts_entries",
                                       ENTRIES("order_id > $1::bigint", " LIMIT $2::bigint")};
static const struct statement FACTS_OF = {"facts_entries_of",
                                          ENTRIES("order_id = ANY($1::bigint[])", "")};
static const struct fact_query ENTRY_QUERY = {USER_FACTS, &FACTS, &FACTS_OF};

const struct law_book user_laws = {CHECKS, COUNT(CHECKS), &ENTRY_QUERY};
