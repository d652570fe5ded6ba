#pragma once
// What one service's database shows of the laws: a book of statements that read it in pages, so that
// a million rows cost many short queries and never a long one.
//
// A page is one statement, hence one snapshot: what it compares with each other is of one moment.

#include "lib/db/db.h"
#include "lib/laws/report.h"
#include "proto/common.pb-c.h"

// $1: the last key of the page before, $2: how many keys at most. Rows in the order of their keys:
// the key, and what is wrong with it or NULL.
struct law_check {
    enum law law;
    int64_t page; // keys
    const struct statement *statement;
};

// What the database knows about orders: the order's id and `values` integers, by id. `page` like a
// check; `chosen` for the orders in $1.
struct fact_query {
    size_t values;
    const struct statement *page, *chosen;
};

struct law_book {
    const struct law_check *checks;
    size_t check_count;
    const struct fact_query *facts; // NULL: nothing about orders
};

enum { FACTS_PAGE = 1000, FACT_VALUES_MAX = 10 };

// One page of the check-th check; a law of "" when there are no more checks. The reply is in arena.
struct status law_book_check(const struct law_book *book, struct db *db,
                             const Baro__CheckLawRequest *request, struct arena *arena,
                             Baro__CheckLawReply **reply);

// The facts after an order id, at most FACTS_PAGE, or those of the orders that are named.
struct status law_book_facts(const struct law_book *book, struct db *db,
                             const Baro__ListOrderFactsRequest *request, struct arena *arena,
                             Baro__OrderFacts **reply);
