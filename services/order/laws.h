#pragma once
// The laws of SPEC 8 that are about orders: what the order service's own database shows (law 5, and
// its facts for law 4), and law 4 itself over the facts of all four services.

#include "lib/laws/source.h"

extern const struct law_book order_laws;

// The order service comes last: what an order has moved is seen before the order.
enum law_place { LAW_USER, LAW_PRODUCT, LAW_COUPONS, LAW_ORDERS, LAW_PLACES };

// Every law over all sources, page by page. The services have no common moment, so an order may look
// wrong because it moved on between two answers: what looks wrong is looked at again for a while, and
// what is wrong for good stays wrong. The failure is that of a source, or CANCELLED.
struct status laws_check(const struct law_source sources[LAW_PLACES], const struct law_going *going,
                         struct report *report);
