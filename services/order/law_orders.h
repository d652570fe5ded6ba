#pragma once
// Law 4, and the part of law 3 that needs the orders: walks the facts of all services side by side in
// the order of their order ids.

#include "services/order/laws.h"

struct status law_orders_check(const struct law_source sources[LAW_PLACES],
                               const struct law_going *going, struct report *report);
